"""ShapeFeature: extents of all arrays in a graph, from those of its inputs, kept up to date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.features import AlreadyThere, Feature
from theano.graph.nodes import Apply, Variable
from theano.ops import sizes
from theano.rewrite.build import t


class ShapeFeature(Feature):
    """``shape_of[v]``: a tuple of one 0-d integer variable per dimension; None for no arrays.

    Attached to a graph it is also ``graph.shape_feature``. Extents of results come from the shape
    rules of their ops; where there is none, they are read from the result itself.

    >>> import theano, theano.tensor as T
    >>> x, y = T.dmatrix("x"), T.dmatrix("y")
    >>> graph = theano.FunctionGraph([x, y], [T.dot(x, y)], clone=False)
    >>> feature = ShapeFeature()
    >>> graph.attach_feature(feature)
    >>> feature.shape_of[graph.outputs[0]]
    (Shape_i{0}.0, Shape_i{1}.0)
    """

    def __init__(self) -> None:
        self.shape_of: dict[Variable, tuple[Variable, ...] | None] = {}

    def on_attach(self, fgraph: Any) -> None:
        """Infer all shapes; AlreadyThere if the graph has such a feature."""
        if hasattr(fgraph, "shape_feature"):
            raise AlreadyThere("ShapeFeature is already present")
        fgraph.shape_feature = self
        self.shape_of = {}
        for variable in fgraph.inputs:
            self._read(variable)
        for node in fgraph.toposort():
            self.on_import(fgraph, node, "ShapeFeature.attach")

    def on_detach(self, fgraph: Any) -> None:
        """Forget everything."""
        self.shape_of = {}
        del fgraph.shape_feature

    def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
        """Infer the shapes of a new node's outputs."""
        for variable in node.inputs:
            if variable not in self.shape_of:
                self._read(variable)
        found = self._inferred(node)
        for variable, shape in zip(node.outputs, found, strict=True):
            if variable not in self.shape_of:
                self.set_shape(variable, shape)

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """What replaces a variable has its shape: the one that is known longer is kept."""
        if new_r not in self.shape_of:
            self.shape_of[new_r] = self.shape_of.get(r)

    def _inferred(self, node: Apply) -> Sequence[Any]:
        rule = getattr(node.op, "infer_shape", None)
        nothing: list[Any] = [None] * len(node.outputs)
        if rule is None:
            return nothing
        try:
            found: Sequence[Any] = rule(node, [self.shape_of[v] for v in node.inputs])
        except NotImplementedError:
            return nothing
        return found

    def _read(self, variable: Variable) -> None:
        self.set_shape(variable, None)

    def set_shape(self, r: Variable, s: Sequence[Any] | None, override: bool = False) -> None:
        """Let ``r`` have the extents ``s`` (variables or ints); None: what its type and it say.

        Raises ValueError where there are not as many as dimensions, and KeyError where ``r`` has
        extents already, unless ``override``.
        """
        if r in self.shape_of and not override:
            raise KeyError(f"The shape of {r} is known already")
        static = getattr(r.type, "shape", None)
        if static is None:
            self.shape_of[r] = None
            return
        if s is not None and len(s) != len(static):
            raise ValueError(f"{r} of {r.type} has {len(static)} dimensions, not {len(s)}")
        self.shape_of[r] = tuple(
            sizes.variable(known if known is not None else given)
            for known, given in zip(
                static, s if s is not None else [t.shape_i(r, i) for i in range(len(static))],
                strict=True,
            )
        )  # fmt: skip

    def known(self, r: Variable) -> tuple[Variable, ...] | None:
        """The extents of ``r``, read from it where nothing is known."""
        if r not in self.shape_of:
            self._read(r)
        return self.shape_of[r]

    def get_shape(self, var: Variable, idx: int) -> Variable:
        """The extent of axis ``idx`` of ``var``."""
        shape = self.shape_of[var]
        if shape is None:
            raise TypeError(f"{var} of {var.type} has no shape")
        return shape[idx]

    def shape_tuple(self, r: Variable) -> tuple[Variable, ...] | None:
        """All extents of ``r``; None for no array."""
        return self.shape_of[r]

    def same_shape(
        self, x: Variable, y: Variable, dim_x: int | None = None, dim_y: int | None = None
    ) -> bool:
        """Whether ``x`` and ``y`` (or an axis of each) are known to have the same extents."""
        xs, ys = self.shape_of[x], self.shape_of[y]
        if xs is None or ys is None:
            return False
        if dim_x is not None:
            xs = (xs[dim_x],)
        if dim_y is not None:
            ys = (ys[dim_y],)
        return len(xs) == len(ys) and all(map(_same, xs, ys))


def _same(a: Variable, b: Variable) -> bool:
    from theano.graph import traverse

    return traverse.equal_graphs([a], [b])
