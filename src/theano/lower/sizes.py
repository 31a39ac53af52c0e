"""Which extents are equal: one size atom per dimension, unified where an op demands equality.

An atom is an int or a ``Size``. Elementwise ops unify their inputs' dimensions (each union is also
a run-time check), so "same domain", the question that fusion asks, is a comparison of tuples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.tensor_type import TensorType
from theano.ops.elemwise import Elemwise
from theano.ops.shape import DimShuffle, Shape_i

NATIVE_DTYPES = frozenset(
    [
        *("bool", "float16", "float32", "float64"),
        *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
    ]
)


def is_array(variable: Variable) -> bool:
    """Whether a Program holds a variable as an array, not as an object that it only passes on."""
    kind = variable.type
    return isinstance(kind, TensorType) and kind.dtype in NATIVE_DTYPES


class Size:
    """An extent that only the run time knows. ``source``: ("dim", variable, axis) or ("scalar",
    variable); equal sizes are joined by union-find."""

    __slots__ = ("const", "members", "parent", "source")

    def __init__(self, source: tuple[Any, ...]) -> None:
        self.parent: Size = self
        self.const: int | None = None
        self.members: list[Size] = [self]
        self.source = source


Atom = int | Size


def root(size: Size) -> Size:
    """The representative of a size's class."""
    while size.parent is not size:
        size.parent = size.parent.parent
        size = size.parent
    return size


def canonical(atom: Atom) -> Atom:
    """The int that an atom is known to be, or its class."""
    if isinstance(atom, int):
        return atom
    size = root(atom)
    return size if size.const is None else size.const


class Sizes:
    """The atoms of every variable of a graph and the equalities that its nodes demand."""

    def __init__(self) -> None:
        self.dims: dict[Variable, tuple[Atom, ...]] = {}
        self.demands: dict[Apply, list[tuple[Atom, Atom]]] = {}
        self._scalars: dict[Variable, Atom] = {}
        self._interned: dict[Any, Size] = {}
        self._handles: dict[Atom, Variable] = {}

    def of(self, variable: Variable) -> tuple[Atom, ...]:
        """The canonical atoms of a variable's dimensions."""
        return tuple(canonical(atom) for atom in self.dims[variable])

    def add_root(self, variable: Variable) -> None:
        """A parameter: static extents are ints, the others sizes of their own."""
        self.dims[variable] = tuple(
            size if size is not None else Size(("dim", variable, axis))
            for axis, size in enumerate(variable.type.shape)
        )
        if isinstance(variable, Constant):
            self.dims[variable] = tuple(variable.data.shape)

    def add_node(self, node: Apply, known: bool) -> None:
        """Infer the outputs' atoms. ``known`` False: the op's shape rule is not to be trusted."""
        op = node.op
        if not all(map(is_array, node.inputs)):
            self._by_rule(node, known)
        elif isinstance(op, Elemwise):
            shape = self._elemwise(node)
            for output in node.outputs:
                self.dims[output] = shape
        elif isinstance(op, DimShuffle):
            source = self.dims[node.inputs[0]]
            self.dims[node.outputs[0]] = tuple(
                1 if axis == "x" else source[int(axis)] for axis in op.new_order
            )
        else:
            self._by_rule(node, known)

    def _elemwise(self, node: Apply) -> tuple[Atom, ...]:
        if len(node.inputs) == 1:
            return self.dims[node.inputs[0]]
        shape: list[Atom] = []
        columns = [(self.dims[v], v.type.broadcastable) for v in node.inputs]
        for axis in range(node.outputs[0].type.ndim):
            found: Atom | None = None
            for dims, pattern in columns:
                if pattern[axis]:
                    continue
                found = dims[axis] if found is None else self.unify(node, found, dims[axis])
            shape.append(1 if found is None else found)
        return tuple(shape)

    def _by_rule(self, node: Apply, known: bool) -> None:
        shapes = self._inferred(node)
        known = known and shapes is not None
        for output, shape in zip(node.outputs, shapes or [None] * len(node.outputs), strict=True):
            if not is_array(output):
                continue
            fresh = tuple(
                size if size is not None else Size(("dim", output, axis))
                for axis, size in enumerate(output.type.shape)
            )
            if shape is None or (not known and node.op.__class__.__module__[:7] != "theano."):
                self.dims[output] = fresh
                continue
            atoms = tuple(self.atom(entry) for entry in shape)
            if known:
                for atom, static in zip(atoms, output.type.shape, strict=True):
                    if static is not None and atom != static:
                        self.unify(node, atom, static)
                self.dims[output] = tuple(
                    want if want is not None else have
                    for have, want in zip(atoms, output.type.shape, strict=True)
                )
            else:
                for have, want in zip(fresh, atoms, strict=True):
                    self.unify(node, have, want)
                self.dims[output] = fresh

    def _inferred(self, node: Apply) -> Sequence[Any] | None:
        """The extents that the op's shape rule gives; None where it has none."""
        shapes = [self.handles(v) for v in node.inputs]
        if all(map(is_array, node.inputs)):
            misfits: tuple[type[Exception], ...] = (NotImplementedError, AttributeError)
        else:  # a rule may ask for the extents of an object, which has none
            misfits = (Exception,)
        try:
            found: Sequence[Any] = node.op.infer_shape(node, shapes)
        except misfits:
            return None
        return found

    def unify(self, node: Apply, a: Atom, b: Atom) -> Atom:
        """Demand ``a == b`` on behalf of ``node``; returns the better known of the two."""
        if a is b or (isinstance(a, int) and a == b):
            return a
        self.demands.setdefault(node, []).append((a, b))
        if isinstance(a, int) and isinstance(b, int):
            return a
        if isinstance(a, int) or isinstance(b, int):
            size = root(a if isinstance(a, Size) else b)  # type: ignore[arg-type]
            if size.const is None:
                size.const = b if isinstance(b, int) else a  # type: ignore[assignment]
            return a if isinstance(a, int) else b
        ra, rb = root(a), root(b)
        if ra is not rb:
            if len(ra.members) < len(rb.members):
                ra, rb = rb, ra
            rb.parent = ra
            ra.members.extend(rb.members)
            ra.const = rb.const if ra.const is None else ra.const
        return a

    # graph variables that stand for atoms, for the ops' shape rules ------------------------------

    def handles(self, variable: Variable) -> Any:
        """A variable's extents as ints and 0-d int64 variables."""
        if variable not in self.dims:
            return None
        return tuple(self.handle(atom) for atom in self.dims[variable])

    def handle(self, atom: Atom) -> Any:
        """An int, or the 0-d variable that stands for a size."""
        if isinstance(atom, int):
            return atom
        found = self._handles.get(atom)
        if found is None:
            kind, *rest = atom.source
            found = Shape_i(rest[1])(rest[0]) if kind == "dim" else rest[0]
            self._handles[atom] = found
            self._scalars[found] = atom
        return found

    def atom(self, entry: Any) -> Atom:
        """The atom of an int or a 0-d integer variable; equal expressions get equal atoms."""
        if not isinstance(entry, Variable):
            return int(entry)
        todo = [entry]
        while todo:
            variable = todo[-1]
            if variable in self._scalars:
                todo.pop()
                continue
            pending = [v for v in self._parents(variable) if v not in self._scalars]
            if pending:
                todo.extend(pending)
                continue
            self._scalars[variable] = self._atom_of(variable)
            todo.pop()
        return self._scalars[entry]

    def _parents(self, variable: Variable) -> Sequence[Variable]:
        node = variable.owner
        if node is None or isinstance(node.op, Shape_i):
            return ()
        return [v for v in node.inputs if is_array(v) and v.type.ndim == 0]

    def _atom_of(self, variable: Variable) -> Atom:
        node = variable.owner
        if isinstance(variable, Constant):
            return int(variable.data)
        if node is None:
            return self._intern(variable, variable)
        if isinstance(node.op, Shape_i) and node.inputs[0] in self.dims:
            return self.dims[node.inputs[0]][node.op.i]
        name = getattr(getattr(node.op, "row", None), "name", "")
        if name in ("identity", "tensor_copy") or (name.startswith("Cast{int") and _widens(node)):
            return self._scalars[node.inputs[0]]
        key = (node.op, variable.index, tuple(self._scalars.get(v, v) for v in node.inputs))
        return self._intern(key, variable)

    def _intern(self, key: Any, variable: Variable) -> Size:
        found = self._interned.get(key)
        if found is None:
            found = self._interned[key] = Size(("scalar", variable))
            self._handles.setdefault(found, variable)
        return found


def _widens(node: Apply) -> bool:
    """Whether a cast keeps every value: a size may then go by the name that it had before."""
    given, wanted = (np.dtype(v.type.dtype) for v in (node.inputs[0], node.outputs[0]))
    return given.kind in "iu" and np.can_cast(given, wanted, "safe")
