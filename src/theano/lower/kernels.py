"""A group of nodes as one kernel: stages, operands, and the steps that launch it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.kernel import ir
from theano.kernel.build import Builder, Val
from theano.lower import program as pg
from theano.lower.context import Context
from theano.lower.group import Group, Unit
from theano.lower.uses import Dims, Use, default_align, resolve, uses_of

HEAVY = 8  # recomputing something dearer than this in a later loop costs more than reloading it


class Emission:
    """The state of building one kernel."""

    def __init__(self, low: Context, unit: Unit, results: Sequence[Variable]) -> None:
        assert unit.group is not None
        self.low = low
        self.group: Group = unit.group
        self.nodes = unit.nodes
        self.results = list(results)
        self.names = [f"a{i}" for i in range(len(self.group.axes))]
        self.operands: list[ir.Operand] = []
        self.bindings: list[pg.Operand] = []
        self.scalars: list[ir.Param] = []
        self.scalar_args: list[pg.Arg] = []
        self._operand_of: dict[Any, ir.Operand] = {}
        self._scalar_of: dict[Any, str] = {}
        self.values: dict[Variable, Val] = {}  # of the stage being built
        self.outer_values: dict[Variable, tuple[str, str]] = {}
        self.k = Builder()
        self.stages: list[ir.Stage] = []
        self.home: dict[Variable, ir.Operand] = {}  # variables stored to an operand
        self.serial: tuple[int, ...] = ()  # axes whose points are taken one after the other

    # operands -------------------------------------------------------------------------------

    def operand(
        self, array: str, dtype: str, axes: Sequence[int | None], mode: str,
        gather: tuple[int, ...] = (),
    ) -> ir.Operand:  # fmt: skip
        """The operand for ``array`` whose dimension ``d`` follows kernel axis ``axes[d]``."""
        key = (array, tuple(axes), mode, gather)
        found = self._operand_of.get(key)
        if found is None:
            moves: list[int | None] = [None] * len(self.names)
            for d, axis in enumerate(axes):
                if axis is not None:
                    moves[axis] = d
            prefix = {"in": "i", "out": "o", "scatter": "x"}[mode]
            names = tuple(n for n, d in zip(self.names, moves, strict=True) if d is not None)
            found = ir.Operand(f"{prefix}{len(self.operands)}", dtype, names, mode, len(gather))
            self.operands.append(found)
            self.bindings.append(pg.Operand(array, tuple(moves), gather))
            self._operand_of[key] = found
        return found

    def scalar(self, variable: Variable) -> Val:
        """A 0-d variable as a scalar parameter, or a literal."""
        return self.parameter(self.low.scalar(variable))

    def parameter(self, value: Val) -> Val:
        """A register as a scalar parameter, or a literal."""
        literal = self.low.literal(value)
        if literal is not None:
            return self.k.const(literal, value.dtype)
        name = self._scalar_of.get(value.name)
        if name is None:
            name = self._scalar_of[value.name] = f"s{len(self.scalars)}"
            self.scalars.append(ir.Param(name, value.dtype))
            self.scalar_args.append(value.name)
        return self.k.value(name, value.dtype)

    def read(self, base: Variable, axes: Sequence[int | None]) -> Val:
        """The element of ``base`` at the current point; ``axes``: kernel axis per dimension."""
        if base in self.values:
            return self.values[base]
        if base in self.outer_values:
            return self.k.value(*self.outer_values[base])
        if base in self.home:
            return self.k.load(self.home[base])
        if base.type.ndim == 0:
            return self.scalar(base)
        if base in self.group.maps:
            raise AssertionError(f"{base} is not ready in this stage of its kernel")
        known = self.low.splat(base)
        if known is not None:
            return self.k.const(known, self.low.register_dtype(base))
        self._fit(base, axes)
        array = self.low.array(base)
        if self._turned(axes):
            array, axes = self.low.turned(array, axes)
        return self.k.load(self.operand(array, base.type.dtype, axes, "in"))

    def _turned(self, axes: Sequence[int | None]) -> bool:
        """Whether a map would walk through an array across its rows."""
        moves = [axis for axis in axes if axis is not None]
        last = len(self.group.axes) - 1
        return not self.group.inner and last in moves and moves[-1] != last

    def _fit(self, variable: Variable, axes: Sequence[int | None]) -> None:
        """Make sure at run time that a variable has the extents of the axes that it follows."""
        for atom, axis in zip(self.low.sizes.dims[variable], axes, strict=True):
            if axis is not None:
                self.low.need_equal(atom, self.group.axes[axis], self.nodes[0])

    # nodes ------------------------------------------------------------------------------------

    def emit(self, node: Apply) -> None:
        """Append the code of one node to the current stage."""
        if node.op.lowering == "reduce":
            self._reduce(node)
            return
        point = Point(self, node)
        result = node.op.body(node, point)
        results = result if isinstance(result, (tuple, list)) else (result,)
        for output, value in zip(node.outputs, results, strict=True):
            self.values[output] = self.k.cast(value, self.low.register_dtype(output))

    def _reduce(self, node: Apply) -> None:
        op = node.op
        use = uses_of(node)[0]
        value = self.read(use.base, base_axes(self.group, node, use))
        if hasattr(op, "pre"):
            value = op.pre(self.k, value)
        kind = op.kind
        if node not in self.group.folds:
            done = self.k.const(0, "int64") if kind.startswith("arg") else value
            done = self.k.cast(done, self.low.register_dtype(node.outputs[0]))
        else:
            if not kind.startswith("arg"):
                acc = "float32" if op.acc_dtype == "float16" else op.acc_dtype
                value = self.k.cast(value, acc or value.dtype)
            done = self.k.accumulate(kind, value)
        self.values[node.outputs[0]] = done

    # stages -----------------------------------------------------------------------------------

    def build(self) -> None:
        """Build all stages and append the launch to the program."""
        last = max(self.group.times.values())
        plan = StagePlan(self, last)
        for time in range(last + 1):
            self._stage(time, plan)
        inner = self.group.inner
        outer_names = tuple(n for i, n in enumerate(self.names) if i not in inner)
        inner_names = tuple(n for i, n in enumerate(self.names) if i in inner)
        order = [i for i in range(len(self.names)) if i not in inner] + sorted(inner)
        axes = outer_names + inner_names
        operands = tuple(
            replace(o, axes=tuple(n for n in axes if n in o.axes)) for o in self.operands
        )
        kernel = ir.Kernel(
            "", outer_names, inner_names, operands, tuple(self.scalars),
            tuple(self.stages), serial=tuple(self.names[i] for i in self.serial),
        )  # fmt: skip
        kernel = self.low.named(kernel)
        extents = [self.low.size_arg(self.group.axes[i]) for i in order]
        bindings = tuple(
            pg.Operand(b.array, tuple(b.axes[i] for i in order), b.gather) for b in self.bindings
        )
        self.low.add(pg.Launch(kernel, tuple(extents), bindings, tuple(self.scalar_args)))

    def _stage(self, time: int, plan: StagePlan) -> None:
        self.k = Builder(f"t{time}_")
        self.values = {}
        loop = time % 2 == 0 and bool(self.group.inner)
        late = []  # their arrays hold another value until this stage has read it
        for node in plan.nodes(time):
            self.emit(node)
            for output in node.outputs:
                if plan.store_time.get(output) == time:
                    if output in plan.lent or self.low.is_donated(output):
                        late.append(output)
                    else:
                        self._store(output)
        for output in late:
            self._store(output)
        reductions = {
            node.outputs[0]: self.values.pop(node.outputs[0])
            for node in plan.nodes(time)
            if node in self.group.folds and loop
        }
        if self.k.statements:
            self.stages.append(ir.Stage("loop" if loop else "each", tuple(self.k.statements)))
        if not loop:
            for variable, value in self.values.items():
                self.outer_values[variable] = (value.name, value.dtype)
        if reductions:
            self._finish(time, reductions, plan)

    def _finish(self, time: int, reductions: Mapping[Variable, Val], plan: StagePlan) -> None:
        self.k = Builder(f"f{time}_")
        self.values = {}
        for variable, value in reductions.items():
            source = self.k.value(value.name, value.dtype)
            self.values[variable] = self.k.cast(source, self.low.register_dtype(variable))
            self.outer_values[variable] = (
                self.values[variable].name, self.values[variable].dtype
            )  # fmt: skip
            if variable in self.results:
                self._store(variable)
        if self.k.statements:
            self.stages.append(ir.Stage("each", tuple(self.k.statements)))

    def _store(self, variable: Variable) -> None:
        axes = self.group.maps[variable]
        self._fit(variable, axes)
        array = self.low.result_array(variable)
        operand = self.operand(array, variable.type.dtype, axes, "out")
        self.k.store(operand, self.values[variable])
        if variable not in self.group.outer_level:
            self.home.setdefault(variable, operand)


class StagePlan:
    """Which nodes each stage computes, which values are kept in memory between loops."""

    def __init__(self, emission: Emission, last: int) -> None:
        self.emission = emission
        self.group = emission.group
        self.store_time: dict[Variable, int] = {}
        self.lent: set[Variable] = set()
        self._nodes: dict[int, list[Apply]] = {}
        times = self.group.times
        results = set(emission.results)
        for node in emission.nodes:
            for output in node.outputs:
                if output in results and node not in self.group.folds:
                    self.store_time[output] = times[output]
        natives: dict[int, list[Apply]] = {}
        for node in emission.nodes:
            natives.setdefault(self._time(node), []).append(node)
        for time in range(last, -1, -1):
            self._nodes[time] = self._needed(time, natives.get(time, []))

    def _time(self, node: Apply) -> int:
        time = self.group.times[node.outputs[0]]
        return time - 1 if node in self.group.folds else time

    def nodes(self, time: int) -> list[Apply]:
        """The nodes that stage ``time`` computes, in order."""
        return self._nodes[time]

    def _needed(self, time: int, native: list[Apply]) -> list[Apply]:
        if time % 2 or not self.group.inner:
            return native
        need = dict.fromkeys(
            n for n in native
            if n in self.group.folds or any(v in self.store_time for v in n.outputs)
        )  # fmt: skip
        for node in reversed(self.emission.nodes):
            if node not in need:
                continue
            for use in uses_of(node):
                owner = use.base.owner
                if owner is None or use.base not in self.group.maps or owner in need:
                    continue
                if use.base in self.group.outer_level:
                    continue
                if self._time(owner) == time or not self._keep(use.base, time):
                    need[owner] = None
        return [node for node in self.emission.nodes if node in need]

    def _keep(self, variable: Variable, time: int) -> bool:
        """Whether a value of an earlier loop, needed in ``time``, is reloaded, not recomputed."""
        if variable in self.store_time:
            return True
        if self._cost(variable) < HEAVY:
            return False
        self.store_time[variable] = self.group.times[variable]
        self.emission.low.temporary(variable, self._lender(variable, time))
        return True

    def _lender(self, variable: Variable, time: int) -> Variable | None:
        """A result stored no earlier than ``time``, whose array can hold ``variable`` first."""
        group = self.group
        for result in self.emission.results:
            if (
                result not in self.lent
                and result not in group.outer_level
                and result.type.dtype == variable.type.dtype
                and group.maps[result] == group.maps[variable]
                and group.times[result] >= time
                and not self.emission.low.is_donated(result)
            ):
                self.lent.add(result)
                return result
        return None

    def _cost(self, variable: Variable) -> int:
        total, stack, seen = 0, [variable], {variable}
        while stack and total < HEAVY:
            owner = stack.pop().owner
            if owner is None or owner.outputs[0] not in self.group.maps:
                continue
            row = getattr(owner.op, "row", None)
            total += 10 if getattr(row, "cost", "cheap") == "heavy" else 1
            for use in uses_of(owner):
                base = use.base
                if base not in seen and base not in self.group.outer_level:
                    seen.add(base)
                    stack.append(base)
        return total


def base_axes(group: Group, node: Apply, use: Use) -> Dims:
    """The kernel axis per dimension of ``use.base``."""
    points = group.points[node]
    axes: list[int | None] = [None] * use.base.type.ndim
    for d, o in zip(use.dims, use.align, strict=True):
        if d is not None and o is not None:
            axes[d] = points[o]
    return tuple(axes)


class Point:
    """``m`` of a map op's ``body``: the current point of the kernel (see ops/base.py)."""

    def __init__(self, emission: Emission, node: Apply) -> None:
        self.emission = emission
        self.node = node
        self.k = emission.k

    def input(self, position: int, axes: Sequence[int | None] | None = None) -> Val:
        """The element of input ``position`` that is aligned with the point."""
        base, dims = resolve(self.node.inputs[position])
        align = default_align(self.node, position) if axes is None else tuple(axes)
        use = Use(position, base, dims, align)
        return self.emission.read(base, base_axes(self.emission.group, self.node, use))

    def gather(
        self, position: int, index: Mapping[int, Any], axes: Sequence[int | None] | None = None
    ) -> Val:
        """The element of input ``position`` at computed indices along some dimensions."""
        e = self.emission
        variable = self.node.inputs[position]
        gathered = tuple(sorted(index))
        points = e.group.points[self.node]
        align: Sequence[int | None] = axes if axes is not None else [None] * variable.type.ndim
        moves = [
            None if d in index or align[d] is None else points[align[d]]  # type: ignore[index]
            for d in range(variable.type.ndim)
        ]
        operand = e.operand(e.low.array(variable), variable.type.dtype, moves, "in", gathered)
        return self.k.load(operand, tuple(self.k.cast(index[d], "int64") for d in gathered))

    def extent(self, position: int, axis: int) -> Val:
        """The extent of input ``position`` along ``axis`` (int64)."""
        e = self.emission
        return e.parameter(e.low.size(e.low.sizes.dims[self.node.inputs[position]][axis]))

    def index(self, axis: int) -> Val:
        """The position along domain axis ``axis`` (0 along one of size 1)."""
        found = self.emission.group.points[self.node][axis]
        if found is None:
            return self.k.const(0, "int64")
        return self.k.index(self.emission.names[found])
