"""``vectorize``: a function of one example as a function of many."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from theano.batching.engine import batch, spread
from theano.graph.nodes import Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable, dimshuffle
from theano.ops.extents import size_of


def vectorize(
    fn: Callable[..., Any], in_axes: int | Sequence[int | None] | None = 0, out_axes: int = 0
) -> Callable[..., Any]:
    """``fn`` applied along an axis of its arguments, all at once rather than in a loop.

    Parameters
    ----------
    fn : a function of symbolic values (one example) that returns one or several of them.
    in_axes : the axis of the examples: one for all arguments, or one per argument; None: that
        argument is the same for all examples.
    out_axes : where the examples are in the results.

    The result is a function of symbolic values; with `jit` it takes arrays. Ops without a batching
    rule become a native loop. Raises ValueError if no argument has an axis of examples or the
    number of ``in_axes`` is wrong.

    >>> import theano, theano.tensor as T
    >>> A, X = T.dmatrix("A"), T.dmatrix("X")
    >>> Y = theano.vectorize(lambda A, x: T.dot(A, x), in_axes=(None, 0))(A, X)
    >>> Y.eval({A: [[1, 2], [3, 4]], X: [[1, 0], [0, 1], [1, 1]]}).tolist()
    [[1.0, 3.0], [2.0, 4.0], [3.0, 7.0]]
    """

    @functools.wraps(fn)
    def vectorized(*args: Any) -> Any:
        axes = [in_axes] * len(args) if in_axes is None or isinstance(in_axes, int) else in_axes
        if len(axes) != len(args):
            raise ValueError(f"vectorize: {len(axes)} in_axes for {len(args)} arguments")
        if all(axis is None for axis in axes):
            raise ValueError("vectorize: no argument has an axis of examples")
        inner, examples = [], {}
        size = None
        for x, axis in zip(args, axes, strict=True):
            x = x if isinstance(x, Variable) else as_tensor_variable(x)
            if axis is None:
                inner.append(x)
                continue
            ndim = x.type.ndim
            if not -ndim <= axis < ndim:
                raise ValueError(f"vectorize: {x} of {ndim} dimensions has no axis {axis}")
            place = axis % ndim
            first = dimshuffle(x, [place, *(d for d in range(ndim) if d != place)])
            one = TensorType(x.type.dtype, shape=first.type.shape[1:])(x.name)
            inner.append(one)
            examples[one] = first
            size = size_of(first, 0) if size is None else size
        results = fn(*inner)
        listed = list(results) if isinstance(results, (list, tuple)) else [results]
        variables = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in listed]
        pairs = batch(variables, examples, size)
        assert pairs is not None
        found = [_placed(v if flag else spread(v, size), out_axes) for v, flag in pairs]
        if isinstance(results, (list, tuple)):
            return type(results)(found)
        return found[0]

    return vectorized


def _placed(x: Any, axis: int) -> Any:
    if axis % x.type.ndim == 0:
        return x
    return apply("moveaxis", x, 0, axis % x.type.ndim)
