"""Which extents of inputs and shared variables the user's graph needs to be equal.

Rewriting may drop what needed them (``x + zeros_like(y)`` becomes ``x``), but a call where they
differ must fail as it did before. So the graph as it was written is looked at, too: its elementwise
ops, and the ops between them that pass extents on. What follows for extents of roots is checked at
the beginning of the Program, where it costs a comparison; rewrites need not care.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.tensor_type import TensorType
from theano.lower.context import Context
from theano.lower.sizes import Atom, Size, Sizes, root
from theano.ops.elemwise import Elemwise
from theano.ops.shape import DimShuffle, Shape_i

Dims = tuple[Atom, ...]


class _Extents(Sizes):
    """The extents of a graph as it was written, as far as elementwise ops and a few others tell."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[Variable, Atom] = {}  # of 0-d roots that are extents

    def pass_on(self, node: Apply) -> None:
        """The extents of a node's outputs."""
        known = all(v in self.dims for v in node.inputs)
        if known and isinstance(node.op, (Elemwise, DimShuffle)):
            self.add_node(node, known=True)
            return
        find = _PASS_ON.get(type(node.op).__name__)
        if find is None and getattr(node.op, "lowering", "") == "reduce":
            find = _Extents.kept
        shape = find(self, node) if known and find is not None else None
        for output in node.outputs:
            if shape is not None and len(shape) == output.type.ndim:
                self.dims[output] = shape
            elif isinstance(output.type, TensorType):
                self.add_root(output)

    def kept(self, node: Apply) -> Dims:
        """Those that a reduction leaves."""
        axes, dims = node.op.axis, self.dims[node.inputs[0]]
        return () if axes is None else tuple(d for i, d in enumerate(dims) if i not in axes)

    def first(self, node: Apply) -> Dims:
        """Those of the first input."""
        return self.dims[node.inputs[0]]

    def rows(self, node: Apply) -> Dims:
        """As many rows as there are indices."""
        return (*self.dims[node.inputs[1]], *self.dims[node.inputs[0]][1:])

    def filled(self, node: Apply) -> Dims | None:
        """Those that an alloc is given."""
        found = [self.number(size) for size in node.inputs[1:]]
        return None if None in found else tuple(found)  # type: ignore[arg-type]

    def number(self, variable: Variable) -> Atom | None:
        """The extent that a 0-d variable is; None if that is not simple."""
        while variable.owner is not None and is_call(variable.owner, "Cast{int64}"):
            variable = variable.owner.inputs[0]
        if isinstance(variable, Constant):
            return int(variable.data)
        owner = variable.owner
        if owner is None:
            return self.numbers.setdefault(variable, self.atom(variable))
        if isinstance(owner.op, Shape_i) and owner.inputs[0] in self.dims:
            return self.dims[owner.inputs[0]][owner.op.i]
        return None


def is_call(node: Apply, name: str) -> bool:
    """Whether a node is the elementwise op of that name."""
    return isinstance(node.op, Elemwise) and node.op.row.name == name


#: How ops by class name pass extents on to their output; None where they are not known.
_PASS_ON: Final[Mapping[str, Callable[[_Extents, Apply], Dims | None]]] = {
    "Alloc": _Extents.filled,
    "AdvancedSubtensor1": _Extents.rows,
    "IncSubtensor": _Extents.first,
    "AdvancedIncSubtensor1": _Extents.first,
    "AdvancedIncSubtensor": _Extents.first,
    "Assert": _Extents.first,
}


#: The extents of a graph, its roots, and for each extent that something is demanded of, by which
#: node.
Written = tuple[_Extents, list[Variable], dict[Size, Apply]]


def _written(outputs: Sequence[Variable], inputs: Sequence[Variable]) -> Written | None:
    """What a graph before rewriting demands; None where nothing is."""
    nodes = traverse.toposort(outputs, inputs)
    if any(type(node.op).__name__ == "IfElse" for node in nodes):
        return None  # what a branch needs holds only where it is taken
    if not any(len(node.inputs) > 1 and isinstance(node.op, Elemwise) for node in nodes):
        return None
    given = set(inputs)
    roots = [*inputs, *(v for v in traverse.roots(outputs, inputs) if v not in given)]
    sizes = _Extents()
    for variable in roots:
        if isinstance(variable.type, TensorType):
            sizes.add_root(variable)
    for node in nodes:
        sizes.pass_on(node)
    reasons = {
        root(atom): node
        for node, pairs in sizes.demands.items()
        for pair in pairs
        for atom in pair
        if isinstance(atom, Size)
    }
    return sizes, roots, reasons


#: Places that must have one extent: a number or None, and (position of an input, axis), where an
#: axis of None means that the input itself is the extent.
Equal = tuple[int | None, tuple[tuple[int, int | None], ...]]


def equal_extents(outputs: Sequence[Variable], inputs: Sequence[Variable]) -> list[Equal]:
    """Which extents of ``inputs`` the graph before rewriting needs to be equal."""
    found = _written(outputs, inputs)
    if found is None:
        return []
    sizes, roots, reasons = found
    places: dict[Size, list[tuple[int, int | None]]] = {}
    known: dict[Size, int] = {top: top.const for top in reasons if top.const is not None}
    for position, variable in enumerate(roots):
        atoms: list[tuple[int | None, Atom]] = list(enumerate(sizes.dims.get(variable, ())))
        if variable in sizes.numbers:
            atoms.append((None, sizes.numbers[variable]))
        for axis, atom in atoms:
            top = root(atom) if isinstance(atom, Size) else None
            if top is None or top not in reasons:
                continue
            if position < len(inputs):
                places.setdefault(top, []).append((position, axis))
            elif isinstance(variable, Constant) and axis is not None:
                known[top] = variable.data.shape[axis]
    return [
        (known.get(top), tuple(found))
        for top, found in places.items()
        if len(found) > 1 or top in known
    ]


def check_roots(low: Context, outputs: Sequence[Variable], inputs: Sequence[Variable]) -> None:
    """Check the extents of the roots of ``outputs``, a graph before rewriting."""
    found = _written(outputs, inputs)
    if found is None:
        return
    sizes, roots, reasons = found
    firsts: dict[Size, Atom] = {}
    for atom, here in _atoms(low, sizes, roots):
        top = root(atom)
        if top in reasons:
            first = firsts.setdefault(top, here if top.const is None else top.const)
            if first is not here:
                low.need_equal(here, first, reasons[top])


def _atoms(low: Context, sizes: _Extents, roots: Sequence[Variable]) -> Iterator[tuple[Size, Atom]]:
    """The extents of roots that the Program has: here, and there."""
    for variable in roots:
        there = low.sizes.dims.get(variable)
        if there is not None and variable in sizes.dims:
            for mine, other in zip(sizes.dims[variable], there, strict=True):
                if isinstance(mine, Size):
                    yield mine, other
        number = sizes.numbers.get(variable)
        if there is not None and isinstance(number, Size):
            yield number, low.sizes.atom(variable)
