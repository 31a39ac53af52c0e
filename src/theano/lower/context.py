"""The Program under construction: arrays, registers and steps, and how variables map to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from theano.graph.nodes import Apply, Constant, Variable
from theano.kernel import ir
from theano.kernel.build import Builder, Val
from theano.lower import joins
from theano.lower import program as pg
from theano.lower.registers import CannotLower, Registers
from theano.lower.scalar_point import ScalarPoint
from theano.lower.sizes import Atom, Sizes, canonical, is_array
from theano.lower.uses import is_view, of_numbers
from theano.lower.views import Views
from theano.ops.shape import DimShuffle, Shape_i
from theano.runtime.routines.table import routine

if TYPE_CHECKING:
    from theano.lower.group import Unit

Move = tuple[int | None, Val | int, Val | int]  # (source axis, extent, step) of an axis of a view


# What a Context knows that holds inside a loop's body only if it was learned there.
_SCOPED = ("arrays", "registers", "_dims", "_sizes", "_proved", "_turned")


class Context(Registers):
    """What ops' ``lower``, ``view`` and ``size`` methods and the kernel builder work with."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.params: list[pg.Param] = []
        self.constants: list[Any] = []
        self.callables: list[pg.PyFunction] = []
        self.arrays: dict[Variable, str] = {}
        self.registers: dict[Variable, Val] = {}
        self.array_dims: dict[str, tuple[Atom | Val, ...]] = {}
        self.array_dtype: dict[str, str] = {}
        self._dims: dict[tuple[str, int], Val] = {}
        self._sizes: dict[Any, Val] = {}
        self._proved: dict[Any, Any] = {}
        self._kernels: dict[ir.Kernel, ir.Kernel] = {}
        self.donations: dict[Variable, str] = {}
        self.scattered: dict[Variable, Unit] = {}  # values computed where they are scattered
        self.homes: dict[Variable, str] = {}  # arrays that loops want values written to
        self._turned: dict[Any, tuple[str, tuple[int | None, ...]]] = {}
        self.joins: dict[Apply, tuple[str, list[str]]] = {}
        self.places: dict[Variable, str] = {}
        self.place_of: dict[str, str] = {}
        self.is_free: Callable[[Variable], bool] = lambda variable: False

    # bodies of loops and branches ------------------------------------------------------------

    def enter(self) -> Any:
        """Begin the body of a loop: what is computed from now on is known in it only."""
        self.flush()
        known = [dict(getattr(self, name)) for name in _SCOPED]
        outside = (self.steps, self.k.written(), known)
        self.steps = []
        return outside

    def leave(self, outside: Any) -> list[pg.Step]:
        """End the body that began with ``enter``; its steps."""
        self.flush()
        steps, (self.steps, written, known) = self.steps, outside
        self.k.forget_all_but(written)
        for name, value in zip(_SCOPED, known, strict=True):
            setattr(self, name, value)
        return steps

    # registers of variables ------------------------------------------------------------------

    def register_dtype(self, variable: Variable) -> str:
        """The dtype of a variable's elements in registers."""
        dtype: str = variable.type.dtype
        return "float32" if dtype == "float16" else dtype

    # parameters -------------------------------------------------------------------------------

    def param(self, variable: Variable, kind: str, index: int) -> str:
        """An array or object that exists before the call."""
        name = self.fresh({"input": "in", "shared": "sh", "constant": "c"}[kind])
        kinds = variable.type
        if not is_array(variable):
            self.params.append(pg.Param(name, pg.OBJECT, 0, kind, index, ()))
            self.define_object(variable, name)
            return name
        static = tuple(variable.data.shape) if isinstance(variable, Constant) else kinds.shape
        self.params.append(pg.Param(name, kinds.dtype, kinds.ndim, kind, index, static))
        self._define(variable, name, self.sizes.dims[variable])
        return name

    def define_object(self, variable: Variable, name: str) -> None:
        """Say what a variable that is no array is called: steps can only pass it on."""
        self.arrays[variable] = name
        self.array_dtype[name] = pg.OBJECT

    def _define(self, variable: Variable, name: str, dims: Sequence[Any]) -> None:
        self.arrays[variable] = name
        self.array_dims[name] = tuple(dims)
        self.array_dtype[name] = variable.type.dtype

    # registers --------------------------------------------------------------------------------

    def dim(self, array: str, axis: int) -> Val:
        """The extent of an array."""
        found = self._dims.get((array, axis))
        if found is None:
            if self.array_dtype[array] == pg.OBJECT:
                raise CannotLower(f"something needs extent {axis} of {array}, which is no array")
            known = self.array_dims[array][axis]
            if isinstance(known, Val):
                return known
            if isinstance(canonical(known), int) and isinstance(known, int):
                return self.k.const(known, "int64")
            found = self._register("int64", "n", lambda name: pg.Dim(name, array, axis))
            self._dims[array, axis] = found
        return found

    def size(self, atom: Atom | Val) -> Val:
        """The register that holds an extent."""
        if isinstance(atom, Val):
            return atom
        proof = self._proof(atom)
        if proof[0] == "int":
            return self.k.const(proof[1], "int64")
        found = self._sizes.get(proof)
        if found is None:
            found = self._sizes[proof] = self.member(atom)
        return found

    def size_arg(self, atom: Atom | Val) -> pg.Arg:
        """The same as a step argument."""
        return self.arg(self.size(atom))

    def member(self, atom: Atom) -> Val:
        """The register of this very atom, not of another one that should equal it."""
        if isinstance(atom, int):
            return self.k.const(atom, "int64")
        kind, variable, *rest = atom.source
        if kind == "dim":
            return self.dim(self.array(variable), rest[0])
        return self.k.cast(self.scalar(variable), "int64")

    def demand(self, node: Apply) -> None:
        """Check the equalities of extents that ``node`` needs and nobody has checked yet."""
        for a, b in self.sizes.demands.get(node, ()):
            self.need_equal(a, b, node)

    def need_equal(self, a: Atom, b: Atom, node: Apply) -> None:
        """Check that two extents are equal unless that has been done."""
        ra, rb = self._proof(a), self._proof(b)
        if ra == rb:
            return
        condition = self.let("eq", self.size(a), self.size(b))
        if rb[0] == "int":
            ra, rb = rb, ra
        self._proved[rb] = ra
        self.check(condition, f"{node.op}: extents of its inputs differ")

    def same(self, a: Atom, b: Atom) -> bool:
        """Whether two extents are known to be equal, by checks if need be."""
        return bool(self._proof(a) == self._proof(b))

    def _proof(self, atom: Atom) -> Any:
        key: Any = ("int", atom) if isinstance(atom, int) else ("size", id(atom))
        path = []
        while key in self._proved:
            path.append(key)
            key = self._proved[key]
        for passed in path[:-1]:
            self._proved[passed] = key
        return key

    def scalar(self, variable: Variable) -> Val:
        """The register of a 0-d variable, computing what it needs."""
        todo = [variable]
        while todo:
            current = todo[-1]
            if current in self.registers:
                todo.pop()
                continue
            pending = [v for v in self._scalar_inputs(current) if v not in self.registers]
            if pending:
                todo.extend(pending)
                continue
            self.registers[current] = self._scalar(current)
            todo.pop()
        return self.registers[variable]

    def _scalar_inputs(self, variable: Variable) -> Sequence[Variable]:
        node = variable.owner
        if variable in self.arrays or node is None or isinstance(node.op, Shape_i):
            return ()
        if node.op.lowering == "map" or isinstance(node.op, DimShuffle):
            return node.inputs if of_numbers(node) else ()
        return ()

    def _scalar(self, variable: Variable) -> Val:
        dtype = self.register_dtype(variable)
        node = variable.owner
        if isinstance(variable, Constant):
            return self.k.const(variable.data.item(), dtype)
        if variable in self.arrays or node is None:
            return self.peek(self.array(variable), dtype)
        if isinstance(node.op, Shape_i):
            source = node.inputs[0]
            if source in self.sizes.dims:
                return self.size(self.sizes.dims[source][node.op.i])
            return self.dim(self.array(source), node.op.i)
        if of_numbers(node):
            if isinstance(node.op, DimShuffle):
                return self.registers[node.inputs[0]]
            if node.op.lowering == "map":
                return self._scalar_node(node, variable)
        return self.peek(self.array(variable), dtype)

    def _scalar_node(self, node: Apply, variable: Variable) -> Val:
        result = node.op.body(node, ScalarPoint(self, node))
        results = result if isinstance(result, (tuple, list)) else (result,)
        for output, value in zip(node.outputs, results, strict=True):
            self.registers[output] = self.k.cast(value, self.register_dtype(output))
        return self.registers[variable]

    def peek(self, array: str, dtype: str) -> Val:
        """The element of a 0-d array."""
        return self._register(dtype, "p", lambda name: pg.Peek(name, dtype, array))

    # arrays -----------------------------------------------------------------------------------

    def array(self, variable: Variable) -> str:
        """The array of a variable: computed, a constant, a view, or a register in memory."""
        todo = [variable]
        while todo:
            current = todo[-1]
            if current in self.arrays:
                todo.pop()
                continue
            if is_view(current):
                source = current.owner.inputs[0]  # type: ignore[union-attr]
                if source not in self.arrays and is_view(source):
                    todo.append(source)
                    continue
            self._materialise(current)
            todo.pop()
        return self.arrays[variable]

    def _materialise(self, variable: Variable) -> None:
        if isinstance(variable, Constant):
            self.constants.append(variable.data)
            if variable not in self.sizes.dims and is_array(variable):
                self.sizes.add_root(variable)
            self.param(variable, "constant", len(self.constants) - 1)
            return
        node = variable.owner
        if not is_array(variable):
            raise CannotLower(f"{variable} ({variable.owner}) has not been computed yet")
        if node is not None and node.op.lowering == "view":
            Views(self).view(node)
        elif node is not None and node.op.lowering == "reshape":
            Views(self).reshape(node)
        elif variable.type.ndim == 0 and self._computable(variable):
            value = self.scalar(variable)
            if variable not in self.arrays:
                name = self.alloc_named(variable, (), self.places.get(variable, "slot"))
                self.add(pg.Poke(name, self.arg(value), value.dtype))
        else:
            raise CannotLower(f"{variable} ({variable.owner}) has not been computed yet")

    def _computable(self, variable: Variable) -> bool:
        """Whether a number can be had without its own array."""
        node = variable.owner
        if variable in self.registers or node is None or isinstance(node.op, Shape_i):
            return True
        return node.op.lowering == "map" and of_numbers(node)

    def alloc_named(self, variable: Variable, dims: Sequence[Any], place: str) -> str:
        """Allocate the array of a variable."""
        name = self.arrays[variable] = self.allocate(variable.type.dtype, dims, place)
        return name

    def allocate(self, dtype: str, dims: Sequence[Any], place: str = "slot") -> str:
        """A fresh C-contiguous array."""
        name = self.fresh("b")
        sizes = [d if isinstance(d, int) else self.size(d) for d in dims]
        self.add(pg.Alloc(name, dtype, tuple(map(self.arg, sizes)), place))
        self.place_of[name] = place
        self.array_dims[name] = tuple(sizes)
        self.array_dtype[name] = dtype
        return name

    def alloc(self, variable: Variable, dims: Sequence[Any] | None = None) -> str:
        """Allocate the array of an op's output where its uses want it."""
        if variable in self.donations or variable in self.homes:
            donor = self.donations.get(variable) or self.homes[variable]
            self._define(variable, donor, self.array_dims[donor])
            return donor
        return self.alloc_named(
            variable,
            self.sizes.dims[variable] if dims is None else dims,
            self.places.get(variable, "slot"),
        )

    def result_array(self, variable: Variable) -> str:
        """The array that a kernel stores a variable to."""
        return self.arrays[variable] if variable in self.arrays else self.alloc(variable)

    def temporary(self, variable: Variable, lender: Variable | None) -> None:
        """Give a value kept between loops an array: the lender's, or one of its own."""
        if variable not in self.arrays:
            name = None if lender is None else self.result_array(lender)
            if name is None:
                self.alloc_named(variable, self.sizes.dims[variable], "slot")
            else:
                self._define(variable, name, self.array_dims[name])

    def is_donated(self, variable: Variable) -> bool:
        """Whether a result is written over storage that exists already."""
        return variable in self.donations

    def define(self, variable: Variable, array: str) -> None:
        """Say which array holds a variable."""
        self._define(variable, array, self.sizes.dims[variable])

    def dims(self, variable: Variable) -> tuple[Val, ...]:
        """The extents of a variable as registers."""
        return tuple(self.size(atom) for atom in self.sizes.dims[variable])

    def view(
        self, source: str, starts: Sequence[tuple[int, Any]], axes: Sequence[Move],
        dtype: str | None = None,
    ) -> str:  # fmt: skip
        """An array that shares ``source``'s storage; ``axes``: (its axis or None, extent, step)."""
        name = self.fresh("w")
        fixed = tuple((axis, self.arg(start)) for axis, start in starts)
        moves = tuple(pg.ViewAxis(a, self.arg(n), self.arg(step)) for a, n, step in axes)
        dtype = dtype or self.array_dtype[source]
        self.add(pg.View(name, dtype, source, fixed, moves))
        self.array_dims[name] = tuple(extent for _, extent, _ in axes)
        self.array_dtype[name] = dtype
        return name

    def routine(self, name: str, arrays: Sequence[str], numbers: Sequence[Val | int] = ()) -> Val:
        """Call a routine of ``runtime/routines``; the number that it gives (0 if it gives none)."""
        row = routine(name)
        out = self.fresh("n") if row.gives else ""
        given = tuple(map(self.arg, numbers))
        self.add(pg.Call(name, tuple(arrays), given, row.results, out))
        if not out:
            return self.k.const(0, "int64")
        self._dtypes[out] = "int64"
        return self.k.value(out, "int64")

    def reshaped(self, array: str, sizes: Sequence[Val | int]) -> str:
        """``array`` in C order with other extents: a view where that is possible, else a copy."""
        name = self.fresh("w")
        dtype = self.array_dtype[array]
        self.add(pg.Reshape(name, dtype, array, tuple(map(self.arg, sizes)), "slot"))
        self.array_dims[name] = tuple(sizes)
        self.array_dtype[name] = dtype
        return name

    def folded(self, array: str, axis: int | None) -> str:
        """``array`` as rank 3: what comes before ``axis``, the axis, what follows (None: all)."""
        dims = [self.dim(array, i) for i in range(len(self.array_dims[array]))]
        if axis is None:
            return self.reshaped(array, (1, self._product(dims), 1))
        if axis <= 1 and len(dims) <= axis + 2:
            moves = self.full_view(array)
            moves[:0] = [(None, 1, 1)] * (1 - axis)
            moves += [(None, 1, 1)] * (3 - len(moves))
            return self.view(array, (), moves)
        before, after = self._product(dims[:axis]), self._product(dims[axis + 1 :])
        return self.reshaped(array, (before, dims[axis], after))

    def converted(self, variable: Variable, dtype: str) -> str:
        """The array of ``variable``, in ``dtype``."""
        array = self.array(variable)
        if self.array_dtype[array] == dtype:
            return array
        cast = self.allocate(dtype, self.dims(variable))
        self.copy(array, cast)
        return cast

    def _product(self, sizes: Sequence[Val]) -> Val:
        total = self.k.const(1, "int64")
        for size in sizes:
            total = self.let("mul", total, size)
        return total

    def turned(self, array: str, axes: Sequence[int | None]) -> tuple[str, tuple[int | None, ...]]:
        """A copy of ``array`` with its axes in the order of the kernel axes that they follow."""
        key = (array, tuple(axes))
        found = self._turned.get(key)
        if found is None:
            order = sorted(range(len(axes)), key=lambda d: -1 if axes[d] is None else axes[d])  # type: ignore[arg-type, return-value]
            view = self.view(array, (), [self.full_view(array)[d] for d in order])
            copy = self.allocate(self.array_dtype[array], self.array_dims[view])
            self.add(pg.Call("copy", (copy, view), ()))
            found = self._turned[key] = (copy, tuple(axes[d] for d in order))
        return found

    def join_parts(self, node: Apply) -> tuple[str, list[str]]:
        """The array that a Join makes, and the part of it that each input goes to."""
        found = self.joins.get(node)
        if found is None:
            found = self.joins[node] = joins.parts(self, node)
        return found

    def full_view(self, source: str) -> list[Move]:
        """The axes of a view of everything, to be changed."""
        return [(i, self.dim(source, i), 1) for i in range(len(self.array_dims[source]))]

    def copy(self, source: str, target: str, add: bool = False) -> None:
        """``target[...] = source`` (or ``+=``), broadcasting source's axes of extent 1."""
        rank = len(self.array_dims[target])
        names = tuple(f"a{i}" for i in range(rank))
        dtype, out = self.array_dtype[source], self.array_dtype[target]
        moves: list[int | None] = []
        shift = rank - len(self.array_dims[source])
        for axis in range(rank):
            atom = self.array_dims[source][axis - shift] if axis >= shift else 1
            moves.append(None if isinstance(atom, int) and atom == 1 else axis - shift)
        k = Builder()
        read = ir.Operand(
            "i0", dtype, tuple(n for n, m in zip(names, moves, strict=True) if m is not None)
        )
        write = ir.Operand("o0", out, names, "out")
        value = k.cast(k.load(read), "float32" if out == "float16" else out)
        operands = [pg.Operand(source, tuple(moves)), pg.Operand(target, tuple(range(rank)))]
        used = [read, write]
        if add:
            old = ir.Operand("i1", out, names)
            used.insert(1, old)
            operands.append(operands[1])
            value = k.load(old) + value
        k.store(write, value)
        stage = ir.Stage("each", tuple(k.statements))
        kernel = ir.Kernel("copy", names, (), tuple(used), (), (stage,))
        extents = tuple(self.arg(self.dim(target, axis)) for axis in range(rank))
        self.add(pg.Launch(kernel, extents, tuple(operands), ()))

    def named(self, kernel: ir.Kernel) -> ir.Kernel:
        """The kernel under a name; equal kernels get the same, and are compiled once."""
        found = self._kernels.get(kernel)
        if found is None:
            found = replace(kernel, name=f"k{len(self._kernels) + 1}")
            self._kernels[kernel] = found
        return found

    def splat(self, variable: Variable) -> Any:
        """The one value of a constant whose elements are all equal, else None."""
        if not isinstance(variable, Constant) or not is_array(variable):
            return None
        data = variable.data
        if data.size == 0:
            return None
        first = data.flat[0]
        if data.size == 1 or (data.size <= 65536 and bool((data == first).all())):
            return None if first != first or data.dtype.kind not in "biuf" else first.item()
        return None

    def python(self, name: str, call: Callable[..., Any]) -> int:
        """The index of a Python step's function."""
        self.callables.append(pg.PyFunction(name, call))
        return len(self.callables) - 1
