"""The Program under construction: arrays, registers and steps, and how variables map to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from theano.graph.nodes import Apply, Constant, Variable
from theano.kernel import ir, prims
from theano.kernel.build import Builder, Val
from theano.lower import program as pg
from theano.lower.sizes import Atom, Sizes, canonical
from theano.lower.views import Views
from theano.ops.shape import DimShuffle, Shape_i

Move = tuple[int | None, Val | int, Val | int]  # (source axis, extent, step) of an axis of a view

NATIVE_DTYPES = frozenset(
    [
        *("bool", "float16", "float32", "float64"),
        *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
    ]
)


class CannotLower(Exception):
    """The graph has something that a Program cannot hold; it runs on the reference executor."""


class Context:
    """What ops' ``lower``, ``view`` and ``size`` methods and the kernel builder work with."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.steps: list[pg.Step] = []
        self.params: list[pg.Param] = []
        self.constants: list[Any] = []
        self.callables: list[pg.PyFunction] = []
        self.k = Builder("r")
        self._flushed = 0
        self._literals: dict[str, Any] = {}
        self._dtypes: dict[str, str] = {}
        self.arrays: dict[Variable, str] = {}
        self.registers: dict[Variable, Val] = {}
        self.array_dims: dict[str, tuple[Atom | Val, ...]] = {}
        self.array_dtype: dict[str, str] = {}
        self._dims: dict[tuple[str, int], Val] = {}
        self._sizes: dict[Any, Val] = {}
        self._proved: dict[Any, Any] = {}
        self._count = 0
        self._kernels: dict[ir.Kernel, ir.Kernel] = {}
        self.donations: dict[Variable, str] = {}
        self.places: dict[Variable, str] = {}
        self.place_of: dict[str, str] = {}
        self.is_free: Callable[[Variable], bool] = lambda variable: False

    # names and steps --------------------------------------------------------------------------

    def fresh(self, prefix: str) -> str:
        """A new name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def add(self, step: pg.Step) -> None:
        """Append a step, after the scalar code written so far."""
        self.flush()
        self.steps.append(step)

    def flush(self) -> None:
        """Turn the scalar statements written since the last flush into Let steps."""
        statements = self.k.statements
        while self._flushed < len(statements):
            statement = statements[self._flushed]
            self._flushed += 1
            if isinstance(statement, ir.Const):
                self._literals[statement.out] = statement.value
                self._dtypes[statement.out] = statement.dtype
            elif isinstance(statement, ir.Apply):
                operand = self._dtypes[statement.args[-1]]
                args = tuple(self._literals.get(a, a) for a in statement.args)
                self.steps.append(
                    pg.Let(statement.out, statement.dtype, statement.prim, args, operand)
                )
                self._dtypes[statement.out] = statement.dtype
            else:
                raise CannotLower(f"scalar code cannot hold {statement}")

    def literal(self, value: Val) -> Any:
        """The Python number of a constant register, else None."""
        self.flush()
        return self._literals.get(value.name)

    def arg(self, value: Val | int) -> pg.Arg:
        """A register's name or its literal."""
        if isinstance(value, Val):
            literal = self.literal(value)
            return value.name if literal is None else literal
        return value

    def register_dtype(self, variable: Variable) -> str:
        """The dtype of a variable's elements in registers."""
        dtype: str = variable.type.dtype
        return "float32" if dtype == "float16" else dtype

    # parameters -------------------------------------------------------------------------------

    def param(self, variable: Variable, kind: str, index: int) -> str:
        """An array that exists before the call."""
        name = self.fresh({"input": "in", "shared": "sh", "constant": "c"}[kind])
        kinds = variable.type
        static = tuple(variable.data.shape) if isinstance(variable, Constant) else kinds.shape
        self.params.append(pg.Param(name, kinds.dtype, kinds.ndim, kind, index, static))
        self._define(variable, name, self.sizes.dims[variable])
        return name

    def _define(self, variable: Variable, name: str, dims: Sequence[Any]) -> None:
        self.arrays[variable] = name
        self.array_dims[name] = tuple(dims)
        self.array_dtype[name] = variable.type.dtype

    # registers --------------------------------------------------------------------------------

    def let(self, prim: str, *args: Any) -> Val:
        """Scalar arithmetic; Python ints are int64."""
        vals = [a if isinstance(a, Val) else None for a in args]
        model = next((v.dtype for v in reversed(vals) if v is not None), "int64")
        full = [
            v if v is not None else self.k.const(a, model) for v, a in zip(vals, args, strict=True)
        ]
        literals = [self.literal(v) for v in full]
        if None not in literals:
            dtype = prims.result_dtype(prim, full[-1].dtype)
            return self.k.const(prims.evaluate(prim, tuple(literals), dtype).item(), dtype)
        return self.k.apply(prim, *full)

    def dim(self, array: str, axis: int) -> Val:
        """The extent of an array."""
        found = self._dims.get((array, axis))
        if found is None:
            known = self.array_dims[array][axis]
            if isinstance(known, Val):
                return known
            if isinstance(canonical(known), int) and isinstance(known, int):
                return self.k.const(known, "int64")
            found = self._register("int64", "n", lambda name: pg.Dim(name, array, axis))
            self._dims[array, axis] = found
        return found

    def _register(self, dtype: str, prefix: str, make: Callable[[str], pg.Step]) -> Val:
        name = self.fresh(prefix)
        self.add(make(name))
        self._dtypes[name] = dtype
        return self.k.value(name, dtype)

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

    def _proof(self, atom: Atom) -> Any:
        key: Any = ("int", atom) if isinstance(atom, int) else ("size", id(atom))
        path = []
        while key in self._proved:
            path.append(key)
            key = self._proved[key]
        for passed in path[:-1]:
            self._proved[passed] = key
        return key

    def check(self, condition: Val, text: str) -> None:
        """End the call unless ``condition``."""
        literal = self.literal(condition)
        if literal is True:
            return
        if literal is False:
            condition = self.k.apply("ne", self.k.const(0, "int64"), self.k.const(0, "int64"))
        self.add(pg.Check(condition.name, text))

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
            return node.inputs if all(v.type.ndim == 0 for v in node.inputs) else ()
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
        if all(v.type.ndim == 0 for v in node.inputs):
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
            node = current.owner
            if node is not None and node.op.lowering in ("view", "reshape"):
                source = node.inputs[0]
                if (
                    source not in self.arrays
                    and not isinstance(source, Constant)
                    and (
                        source.owner is not None and source.owner.op.lowering in ("view", "reshape")
                    )
                ):
                    todo.append(source)
                    continue
            self._materialise(current)
            todo.pop()
        return self.arrays[variable]

    def _materialise(self, variable: Variable) -> None:
        if isinstance(variable, Constant):
            self.constants.append(variable.data)
            if variable not in self.sizes.dims:
                self.sizes.add_root(variable)
            self.param(variable, "constant", len(self.constants) - 1)
            return
        node = variable.owner
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
        return node.op.lowering == "map" and all(v.type.ndim == 0 for v in node.inputs)

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
        if variable in self.donations:
            donor = self.donations[variable]
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
        if not isinstance(variable, Constant) or variable.data.size == 0:
            return None
        data = variable.data
        first = data.flat[0]
        if data.size == 1 or (data.size <= 65536 and bool((data == first).all())):
            return None if first != first or data.dtype.kind not in "biuf" else first.item()
        return None

    def python(self, name: str, call: Callable[..., Any]) -> int:
        """The index of a Python step's function."""
        self.callables.append(pg.PyFunction(name, call))
        return len(self.callables) - 1


class ScalarPoint:
    """``m`` of a map op whose inputs and outputs are all 0-d: code for registers."""

    def __init__(self, low: Context, node: Apply) -> None:
        self.low = low
        self.node = node
        self.k = low.k

    def input(self, position: int, axes: Sequence[int | None] | None = None) -> Val:
        """The register of an input."""
        return self.low.scalar(self.node.inputs[position])

    def gather(self, position: int, index: Mapping[int, Any], axes: Any = None) -> Val:
        """The element of an input at computed indices."""
        low = self.low
        source = low.array(self.node.inputs[position])
        starts = []
        for axis, value in sorted(index.items()):
            extent = low.dim(source, axis)
            value = low.k.cast(value, "int64")
            wrapped = low.k.select(low.k.lt(value, 0), value + extent, value)
            inside = low.k.apply("and", low.k.ge(wrapped, 0), low.k.lt(wrapped, extent))
            low.check(inside, f"{self.node.op}: index out of range")
            starts.append((axis, wrapped))
        element = low.view(source, starts, ())
        return low.peek(element, low.register_dtype(self.node.inputs[position]))

    def extent(self, position: int, axis: int) -> Val:
        """The extent of an input."""
        return self.low.size(self.low.sizes.dims[self.node.inputs[position]][axis])

    def index(self, axis: int) -> Val:
        """There is no axis to be at."""
        return self.k.const(0, "int64")
