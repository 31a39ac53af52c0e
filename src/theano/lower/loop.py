"""Loops: a Scan as a Loop step whose body is lowered like a graph of its own.

All values that pass from step to step live in arrays made before the loop. A state has a buffer
with its initial rows first; step t reads rows at ``depth + t + tap`` and writes row ``depth + t``.
If only the last values are kept, the buffer has few rows and is used round and round. What a step
computes is written into its row directly where a kernel or a call can do so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.kernel.build import Val
from theano.lower import joins, memory
from theano.lower import program as pg
from theano.lower.context import Context
from theano.lower.group import CyclicGroupsError
from theano.lower.sizes import is_array
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.extents import sizes_of
from theano.ops.shape import DimShuffle

if TYPE_CHECKING:
    from theano.lower.function import Lowering


def supported(node: Apply) -> bool:
    """Whether all that passes through the loop is native arrays of extents known before it."""
    op = node.op
    form = op.form
    objects = {*range(form.first_carry, len(op.inner_inputs))}
    for i, v in enumerate(op.inner_inputs):
        if i not in objects and not is_array(v):
            return False
    results = (*op.inner_outputs[: form.stacks], *op.inner_outputs[form.stacks + form.carries :])
    if not all(map(is_array, results)) or not all(map(is_array, node.inputs[: form.outer_carry])):
        return False
    rows = op.row_shapes(node, [sizes_of(v) if is_array(v) else None for v in node.inputs])
    return all(row is not None for row in rows)


def lower_loop(lowering: Lowering, node: Apply) -> None:
    """Append the steps of one Scan."""
    LoopEmission(lowering, node).run()


class LoopEmission:
    """One loop."""

    def __init__(self, lowering: Lowering, node: Apply) -> None:
        self.parent, self.node, self.op = lowering, node, node.op
        # Variables of its own: another loop of the function may have the same step.
        self.inner_inputs, self.inner_outputs, _ = traverse.clone(
            node.op.inner_inputs, node.op.inner_outputs
        )
        self.low: Context = lowering.low
        self.form = node.op.form
        self.count: Val = self.low.k.cast(self.low.scalar(node.inputs[0]), "int64")
        self.buffers: list[str] = []
        self.rows: list[Any] = []  # rows of a buffer that is used round and round, else None
        self.maps: list[str] = []
        self.backwards: set[int] = set()  # places of collected results whose rows are in reverse
        self.cells: list[str] = []  # arrays of carried values, empty for objects
        self.objects: dict[int, tuple[str, str, str]] = {}  # names inside, before and after
        self.index = self.low.fresh("t")

    def run(self) -> None:
        """Everything, in order."""
        self._check_lengths()
        self._make_buffers()
        self._make_cells()
        self._name_fixed()
        done = self._loop()
        self._name_results(done)

    def _check_lengths(self) -> None:
        low, form = self.low, self.form
        enough = low.let("ge", self.count, form.at_least)
        low.check(enough, f"{self.op}: too few steps")
        for i in range(form.sequences):
            sequence = low.array(self.node.inputs[1 + i])
            long = low.let("ge", low.dim(sequence, 0), self.count)
            low.check(long, f"{self.op}: a sequence is shorter than the number of steps")

    def _make_buffers(self) -> None:
        low, form = self.low, self.form
        for s, depth in enumerate(form.depths):
            start = low.array(self.node.inputs[form.outer_state + s])
            rank = len(low.array_dims[start])
            same = low.let("eq", low.dim(start, 0), depth)
            low.check(same, f"{self.op}: a state does not have its {depth} initial rows")
            kept = form.kept(s)
            length: Any = low.let("add", self.count, depth) if kept is None else max(
                depth + 1, kept)  # fmt: skip
            dims = [length, *(low.dim(start, a) for a in range(1, rank))]
            dtype = low.array_dtype[start]
            buffer = low.allocate(dtype, dims)
            first = low.view(buffer, (), [(0, depth, 1), *low.full_view(buffer)[1:]])
            low.copy(start, first)
            self.buffers.append(buffer)
            self.rows.append(None if kept is None else length)
        for output in self.node.outputs[len(form.states) : form.stacks]:
            row = low.sizes.dims[output][1:]
            dims = [self.count, *map(low.size, row)]
            if self._used_backwards(output):
                self.backwards.add(len(self.maps))
                self.maps.append(low.allocate(output.type.dtype, dims))
            else:
                self.maps.append(low.alloc(output, dims))

    def _used_backwards(self, output: Variable) -> bool:
        """Whether all that reads a collected result reads it from its last row to its first.

        A gradient's results do: its loop runs backwards. They are written in the other order.
        """
        low, parent = self.low, self.parent
        elsewhere = output in low.homes or output in parent.target_bases
        users = parent.clients.get(output, ())
        return not elsewhere and not self.form.until and bool(users) and all(map(_reverses, users))

    def _make_cells(self) -> None:
        low, form = self.low, self.form
        for i in range(form.carries):
            outer = low.array(self.node.inputs[form.outer_carry + i])
            if not is_array(self.node.inputs[form.outer_carry + i]):
                self.cells.append("")
                self.objects[i] = (low.fresh("o"), outer, low.fresh("o"))
                continue
            dims = [low.dim(outer, a) for a in range(len(low.array_dims[outer]))]
            cell = low.allocate(low.array_dtype[outer], dims)
            low.copy(outer, cell)
            self.cells.append(cell)

    def _name_fixed(self) -> None:
        """Inputs that stay the same are what they come from."""
        low, form = self.low, self.form
        nodes = traverse.toposort(self.inner_outputs, self.inner_inputs)
        factors = {n.inputs[-1] for n in nodes if type(n.op).__name__ == "Dot"}
        for i in range(form.first_fixed, len(self.inner_inputs)):
            inner, outer = self.inner_inputs[i], self.node.inputs[form.outer_of(i)]
            array = low.array(outer)
            if not is_array(outer):
                low.define_object(inner, array)
                continue
            low.sizes.dims[inner] = low.sizes.dims[outer]
            low.arrays[inner] = self._in_order(outer, array) if inner in factors else array
            if outer.type.ndim == 0:
                low.registers[inner] = low.scalar(outer)

    def _in_order(self, outer: Variable, array: str) -> str:
        """A matrix that all steps multiply with, in C order: turned once instead of in each."""
        low, node = self.low, outer.owner
        if node is None or not isinstance(node.op, DimShuffle) or outer.type.ndim != 2:
            return array
        fresh = low.allocate(outer.type.dtype, low.dims(outer))
        low.add(pg.Call("copy", (fresh, array), ()))
        return fresh

    # the body -----------------------------------------------------------------------------------

    def _loop(self) -> Val:
        low = self.low
        outside = low.enter()
        t = low.k.value(self.index, "int64")
        low.declare(self.index, "int64")
        self._name_rows(t)
        body = Body(self.parent, self.node, self.inner_inputs, self.inner_outputs)
        body.run(self._targets(t))
        carried = []
        for i, cell in enumerate(self.cells):
            value = self.inner_outputs[self.form.stacks + i]
            if i in self.objects:
                inside, before, after = self.objects[i]
                carried.append((inside, before, low.array(value), after))
            else:
                low.copy(body.copied(value, cell), cell)
        stop = ""
        if self.form.until:
            stop = low.register_name(low.k.cast(low.scalar(self.inner_outputs[-1]), "bool"))
        steps = low.leave(outside)
        out = low.fresh("n")
        kept = memory.tidy_body(steps, [stop, *(c[2] for c in carried)])
        low.add(pg.Loop(out, self.index, low.arg(self.count), kept, stop, tuple(carried)))
        low.declare(out, "int64")
        return low.k.value(out, "int64")

    def _position(self, s: int, t: Val, offset: int) -> Val:
        """The row of a state's buffer ``offset`` rows after row ``t``."""
        place = self.low.let("add", t, offset) if offset else t
        length = self.rows[s]
        return place if length is None else self.low.let("mod", place, length)

    def _row(self, buffer: str, position: Val) -> str:
        return self.low.view(buffer, [(0, position)], self.low.full_view(buffer)[1:])

    def _name_rows(self, t: Val) -> None:
        low, form = self.low, self.form
        for i in range(form.sequences):
            outer = self.node.inputs[1 + i]
            self._define(self.inner_inputs[i], self._row(low.array(outer), t),
                         low.sizes.dims[outer][1:])  # fmt: skip
        for i, (s, tap) in enumerate(form.taps()):
            row = self._row(self.buffers[s], self._position(s, t, form.depths[s] + tap))
            self._define(self.inner_inputs[form.first_tap + i], row, self._dims_of_state(s))
        for i, cell in enumerate(self.cells):
            if i in self.objects:
                low.define_object(self.inner_inputs[form.first_carry + i], self.objects[i][0])
                continue
            outer = self.node.inputs[form.outer_carry + i]
            self._define(self.inner_inputs[form.first_carry + i], cell, low.sizes.dims[outer])

    def _dims_of_state(self, s: int) -> Any:
        start = self.node.inputs[self.form.outer_state + s]
        return self.low.sizes.dims[start][1:]

    def _define(self, inner: Variable, array: str, dims: Sequence[Any]) -> None:
        self.low.sizes.dims[inner] = tuple(dims)
        self.low.define(inner, array)

    def _targets(self, t: Val) -> list[tuple[Variable, str, Any]]:
        """(value of the step, the array it goes to, the sizes that it must have)."""
        form = self.form
        found = []
        for s in range(len(form.states)):
            row = self._row(self.buffers[s], self._position(s, t, form.depths[s]))
            found.append((self.inner_outputs[s], row, self._dims_of_state(s)))
        low = self.low
        for i, stack in enumerate(self.maps):
            j = len(form.states) + i
            dims = low.sizes.dims[self.node.outputs[j]][1:]
            at = low.let("sub", self._last(), t) if i in self.backwards else t
            found.append((self.inner_outputs[j], self._row(stack, at), dims))
        return found

    def _last(self) -> Val:
        """The number of the last step."""
        return self.low.let("sub", self.count, 1)

    # after the loop -----------------------------------------------------------------------------

    def _name_results(self, done: Val) -> None:
        low, form, outputs = self.low, self.form, self.node.outputs
        low.registers[outputs[-1]] = done
        for s, buffer in enumerate(self.buffers):
            kept = form.kept(s)
            rest = low.full_view(buffer)[1:]
            if kept is None:
                rows = low.view(buffer, [(0, form.depths[s])], [(0, done, 1), *rest])
                low.define(outputs[s], rows)
                self._share_history(s, done)
            else:
                self._last_rows(s, kept, done)
        for i, stack in enumerate(self.maps):
            output = outputs[len(form.states) + i]
            if form.until:
                stack = low.view(stack, (), [(0, done, 1), *low.full_view(stack)[1:]])
            if i in self.backwards:
                last = low.let("max", self._last(), 0)
                rest = low.full_view(stack)[1:]
                stack = low.view(stack, [(0, last)], [(0, self.count, -1), *rest])
            low.define(output, stack)
        for i, cell in enumerate(self.cells):
            if i in self.objects:
                low.define_object(outputs[form.stacks + i], self.objects[i][2])
            else:
                low.define(outputs[form.stacks + i], cell)

    def _share_history(self, s: int, done: Val) -> None:
        """Initial rows joined with the loop's are what the buffer holds: gradients ask for them."""
        low, parent = self.low, self.parent
        start, stack = self.node.inputs[self.form.outer_state + s], self.node.outputs[s]
        for user in parent.clients.get(stack, ()):
            joined = user.outputs[0]
            if type(user.op).__name__ != "Join" or user.inputs[1:] != [start, stack]:
                continue
            elsewhere = joined in low.homes or joined in low.arrays or joined in parent.target_bases
            if elsewhere or user in low.joins or int(getattr(user.inputs[0], "data", 1)) != 0:
                continue
            buffer = self.buffers[s]
            length = low.let("add", done, self.form.depths[s])
            low.define(joined, low.view(buffer, (), [(0, length, 1), *low.full_view(buffer)[1:]]))

    def _last_rows(self, s: int, kept: int, done: Val) -> None:
        low, buffer = self.low, self.buffers[s]
        dims = [low.dim(buffer, a) for a in range(1, len(low.array_dims[buffer]))]
        result = low.alloc(self.node.outputs[s], [kept, *dims])
        for j in range(kept):
            place = self._position(s, done, self.form.depths[s] - kept + j)
            into = low.view(result, [(0, j)], low.full_view(result)[1:])
            low.copy(self._row(buffer, place), into)


class Body:
    """The step of a loop, lowered into the context of the function around it."""

    def __init__(
        self, parent: Lowering, node: Apply, inputs: Sequence[Variable],
        outputs: Sequence[Variable],
    ) -> None:  # fmt: skip
        self.parent, self.inputs, self.outputs = parent, inputs, outputs
        self.node, self.op = node, node.op
        self.low: Context = parent.low

    def run(self, targets: Sequence[tuple[Variable, str, Any]]) -> None:
        """Compute the step; each target's value ends up in its array."""
        low = self.low
        inner = self._lowering(self.parent.fuse)
        written: dict[Variable, str] = {}
        for variable, array, dims in targets:
            made = _checked_value(variable)
            own = made not in written and _own_result(inner, made)
            if own and self._fits(made, dims):
                written[made] = low.homes[made] = array
        inner.emit_all()
        for variable, array, dims in targets:
            node = variable.owner or self.node
            for atom, wanted in zip(low.sizes.dims[variable], dims, strict=True):
                low.need_equal(atom, wanted, node)
            made = _checked_value(variable)
            low.array(variable)
            if written.get(made) != array or low.arrays.get(made) != array:
                self._store(variable, array)

    def _fits(self, variable: Variable, dims: Sequence[Any]) -> bool:
        """Whether a value's extents are those of its row, checked before anything is written."""
        low = self.low
        pairs = list(zip(low.sizes.dims[variable], dims, strict=True))
        if not all(low.same(a, b) or joins.available(low, a) for a, b in pairs):
            return False
        for atom, wanted in pairs:
            low.need_equal(atom, wanted, variable.owner or self.node)
        return True

    def _store(self, variable: Variable, array: str) -> None:
        low = self.low
        if variable.type.ndim == 0 and variable not in low.arrays:
            value = low.scalar(variable)
            low.add(pg.Poke(array, low.arg(value), value.dtype))
        else:
            low.copy(low.array(variable), array)

    def copied(self, variable: Variable, like: str) -> str:
        """The array of a value, apart from all that the next step begins with."""
        low = self.low
        source = low.array(variable)
        dims = [low.dim(like, a) for a in range(len(low.array_dims[like]))]
        apart = low.allocate(low.array_dtype[like], dims)
        for axis, extent in enumerate(dims):
            same = low.let("eq", low.dim(source, axis), extent)
            low.check(same, f"{self.op}: a step changes the shape of a carried value")
        low.copy(source, apart)
        return apart

    def _lowering(self, fuse: bool) -> Any:
        try:
            return self.parent.inside(self.inputs, self.outputs, fuse)
        except CyclicGroupsError:
            return self.parent.inside(self.inputs, self.outputs, False)


def _own_result(inner: Any, variable: Variable) -> bool:
    """Whether what computes ``variable`` can write it where it is told to."""
    node = variable.owner
    if node is None or isinstance(variable, Constant) or variable not in inner.computed:
        return False
    kind = inner.kinds.get(node)
    name = type(node.op).__name__
    return kind in ("map", "reduce") or (kind, name) in (("call", "Dot"), ("step", "Join"))


def _reverses(user: Apply) -> bool:
    """Whether a node takes the rows of its input from the last to the first."""
    if type(user.op).__name__ != "Subtensor":
        return False
    first = spec.unpack(user.op.idx_list, user.inputs[1:])[0]
    if not isinstance(first, slice):
        return False
    start, stop, step = spec.parts(first)
    return start is None and stop is None and step is not None and sizes.known(step) == -1


_CHECKS = ("SpecifyShape", "CheckShape")


def _checked_value(variable: Variable) -> Variable:
    """What a variable is, before its extents were checked."""
    while variable.owner is not None and type(variable.owner.op).__name__ in _CHECKS:
        variable = variable.owner.inputs[0]
    return variable
