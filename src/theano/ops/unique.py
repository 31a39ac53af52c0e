"""The different elements of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.cumulative import axis_of
from theano.ops.extents import NoGradient, size_of
from theano.ops.index import getitem
from theano.ops.index_nonzero import flatnonzero
from theano.ops.sorting import unique_of


class Unique(NoGradient, TensorOp):
    """The different elements in ascending order: a vector; or the different slices along ``axis``.

    More outputs, int64 vectors, as far as they are asked for: where each element is first, the
    number of each input element among them (``a == unique[inverse]``), how often each occurs. NaNs
    are equal to each other. Flattened arrays are sorted natively. Nothing flows back, as in Theano.
    """

    __props__: ClassVar[tuple[str, ...]] = (
        "return_index", "return_inverse", "return_counts", "axis",
    )  # fmt: skip

    def __init__(
        self, return_index: bool = False, return_inverse: bool = False,
        return_counts: bool = False, axis: int | None = None,
    ) -> None:  # fmt: skip
        self.return_index = bool(return_index)
        self.return_inverse = bool(return_inverse)
        self.return_counts = bool(return_counts)
        self.axis = None if axis is None else int(axis)

    @property
    def lowering(self) -> str:  # type: ignore[override]
        """Whole slices are compared by NumPy."""
        return "expand" if self.axis is None else "python"

    @property
    def why(self) -> str:  # type: ignore[override]
        """Of the Python step."""
        return (
            "" if self.axis is None else "slices are sorted as records, for which there is no key"
        )

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        if self.axis is None:
            kind = x.type.clone(shape=(None,))
        else:
            shape = list(x.type.shape)
            shape[axis_of(self.axis, x.type.ndim, "unique")] = None
            kind = x.type.clone(shape=tuple(shape))
        more = self.return_index + self.return_inverse + self.return_counts
        vectors = [TensorType("int64", shape=(None,))() for _ in range(more)]
        return Apply(self, [x], [kind(), *vectors])

    def reference(self, node: Apply, x: Any) -> Any:
        wanted: Any = (self.return_index, self.return_inverse, self.return_counts)
        found = unique_of(x, *wanted, axis=self.axis)
        if not isinstance(found, tuple):
            return found
        return (found[0], *(vector.reshape(-1) for vector in found[1:]))

    def expand(self, node: Apply) -> list[Any]:
        """Equal elements are neighbours after a sort: what differs from the one before is new."""
        values = apply("flatten", node.inputs[0])
        wants_order = self.return_index or self.return_inverse
        order = apply("argsort", values, axis=0) if wants_order else None
        ordered = apply("sort", values, axis=0) if order is None else getitem(values, order)
        new = _differs(ordered)
        starts = flatnonzero(new)
        results = [getitem(ordered, starts)]
        if self.return_index:
            results.append(getitem(order, starts))
        if self.return_inverse:
            numbers = apply("cumsum", apply("cast", new, "int64"), 0) - 1
            place = getitem(apply("zeros_like", order), order)
            results.append(apply("set_subtensor", place, numbers))
        if self.return_counts:
            end = sizes.vector([size_of(values, 0)])
            results.append(apply("diff", apply("join", 0, starts, end)))
        return results

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        more: list[Any] = [None] * (len(node.outputs) - 1)
        if self.return_inverse:
            extents = input_shapes[0]
            total = sizes.product(extents) if self.axis is None else extents[self.axis]
            more[int(self.return_index)] = (total,)
        return [None, *more]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None] * (1 + self.return_index + self.return_inverse + self.return_counts)


def _differs(ordered: Any) -> Any:
    """Whether each element of a sorted vector is another than the one before it."""
    before, after = getitem(ordered, slice(None, -1)), getitem(ordered, slice(1, None))
    other = apply("neq", after, before)
    if ordered.type.dtype in dtypes.float_dtypes:
        other = apply("and_", other, apply("invert", apply("isnan", before)))
    first = apply("ones_like", getitem(ordered, slice(0, 1)), dtype="bool")
    return apply("join", 0, first, other)


def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: int | None = None,
) -> Any:  # fmt: skip
    """The different elements of ``ar`` in ascending order, as a vector.

    Parameters
    ----------
    ar : array of any dtype.
    return_index : also where each is first in the flattened array.
    return_inverse : also the number of each element of the flattened array in the result.
    return_counts : also how often each occurs.
    axis : compare slices along this axis instead of elements.

    Returns the vector, or a list of it and int64 vectors. There is no gradient.

    >>> import theano.tensor as T
    >>> unique(T.constant([3, 1, 3])).eval().tolist()
    [1, 3]
    """
    return Unique(return_index, return_inverse, return_counts, axis)(ar)


register("unique", unique)
