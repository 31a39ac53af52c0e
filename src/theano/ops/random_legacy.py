"""Draws from NumPy's legacy random states: each takes a state and returns (new state, sample).

The numbers are those of `numpy.random.RandomState`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Apply, Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, constant
from theano.ops.constants import get_vector_length, vector_entries, vector_entry
from theano.ops.extents import size_of
from theano.ops.random_helpers import (
    choice_helper,
    multinomial_helper,
    permutation_helper,
    random_integers_helper,
)
from theano.ops.random_state import Drawing, RandomStateType, draw, random_state_type
from theano.runtime.randomstate import copy_state

Pair = tuple[Any, Any]


class RandomFunction(Drawing, TensorOp):
    """``fn(state, *args, size)`` as an op of (state, size vector, *args).

    Parameters
    ----------
    fn : the name of a method of `numpy.random.RandomState`, or a callable
        ``fn(state, *args, size=size)``.
    outtype : the type of the sample.
    inplace : advance the state itself instead of a copy of it.
    ndim_added : how many dimensions the sample has behind those that ``size`` gives.

    The outputs are the new state and the sample. Raises ValueError at run time where ``size`` has
    another length than the type says or ``fn`` returns another shape.

    >>> import theano.tensor as T
    >>> op = RandomFunction("uniform", T.dvector)
    >>> state, sample = op(random_state_type(), (3,), 0.0, 1.0)
    >>> sample.type
    TensorType(float64, vector)
    """

    __props__: ClassVar[tuple[str, ...]] = ("fn", "outtype", "inplace", "ndim_added")
    lowering = "python"
    why = "the state is a NumPy object; uniforms and normals are drawn natively from within"
    gradient_is_undefined = True  # also where the sample is of integers
    no_gradient = (
        "There is no gradient through raw random numbers. Where they are to count as constants, "
        "say so: theano.gradient.disconnected_grad(sample), or consider_constant=[sample]. A "
        "normal of mean m and standard deviation s has one if it is written as m + s * "
        "normal(0, 1)."
    )

    def __init__(
        self, fn: str | Callable[..., Any], outtype: Any, inplace: bool = False, ndim_added: int = 0
    ) -> None:
        if isinstance(fn, str) and not callable(getattr(np.random.RandomState, fn, None)):
            raise AttributeError(f"numpy.random.RandomState has no method {fn!r}")
        self.fn, self.outtype = fn, outtype
        self.inplace, self.ndim_added = inplace, ndim_added
        if inplace:
            self.destroy_map = {0: [0]}

    def make_node(self, r: Any, shape: Any, *args: Any) -> Apply:
        if not isinstance(r, Variable) or not isinstance(r.type, RandomStateType):
            raise TypeError(
                f"The first argument must be a variable of a random state, got {r!r} of "
                f"{getattr(r, 'type', type(r).__name__)}."
            )
        shape = _shape_vector(shape)
        parameters = [as_tensor_variable(x) for x in args]
        return Apply(self, [r, shape, *parameters], [r.type(), self._type_of(shape)()])

    def _type_of(self, shape: Any) -> Any:
        """The declared type, with the extents that ``shape`` is known to have."""
        kind = self.outtype
        try:
            known = [sizes.known(n) for n in vector_entries(shape)]
        except ValueError:
            return kind
        if len(known) + self.ndim_added != kind.ndim:
            return kind
        full = [*known, *kind.shape[len(known) :]]
        merged = [old if n in (None, 1) else n for n, old in zip(full, kind.shape, strict=True)]
        return kind.clone(shape=tuple(merged))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        size, sample = node.inputs[1], node.outputs[1]
        if self.ndim_added:
            return [None, None]
        return [None, tuple(vector_entry(size, i) for i in range(sample.type.ndim))]

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Advance the state (or a copy) and draw."""
        state, size, *args = inputs
        kind = node.outputs[1].type
        shape = tuple(int(n) for n in size)
        if len(shape) + self.ndim_added != kind.ndim:
            raise ValueError(
                f"Shape mismatch: {self} makes {kind.ndim} dimensions, so its size should have "
                f"{kind.ndim - self.ndim_added} elements, got {len(shape)}: {shape}"
            )
        state = state if self.inplace else copy_state(state)
        if isinstance(self.fn, str):
            value = draw(state, self.fn, tuple(args), shape, kind.dtype)
        else:
            value = self.fn(state, *args, size=shape)
        value = np.ascontiguousarray(value, dtype=kind.dtype).reshape(np.shape(value))
        if value.ndim != kind.ndim:
            raise ValueError(f"{self} drew shape {value.shape}, not {kind.ndim} dimensions")
        output_storage[0][0], output_storage[1][0] = state, value

    def __str__(self) -> str:
        name = self.fn if isinstance(self.fn, str) else self.fn.__name__
        return f"RandomFunction{{{name}}}"


def _shape_vector(shape: Any) -> Any:
    if shape is None or (isinstance(shape, (tuple, list)) and not shape):
        return constant(np.zeros(0, "int64"))
    shape = as_tensor_variable(shape, ndim=1)
    if shape.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"A size must be integers, got {shape} of type {shape.type}.")
    return apply("cast", shape, "int64")


# sizes -----------------------------------------------------------------------------------------


def _infer_ndim_bcast(ndim: int | None, shape: Any, *args: Any) -> tuple[int, Any, Any]:
    """The rank, the size as an int64 vector and the broadcast pattern of a sample.

    ``shape`` may be None (that of the parameters), an int, a sequence of ints and 0-d variables, of
    which -1 stands for the parameters' extent, or a vector whose length is known or ``ndim``.
    """
    params = [as_tensor_variable(x) for x in args]
    least = max((x.type.ndim for x in params), default=0)
    if shape is None:
        rank = least if ndim is None else ndim
        entries: list[Any] = [-1] * rank
    else:
        entries = _entries(shape, ndim)
        rank = len(entries)
    if ndim is not None and ndim != rank:
        raise ValueError(f"ndim should be {rank}, the length of the size {shape}, not {ndim}")
    if rank < least:
        raise ValueError(
            f"ndim should be at least {least}, the rank of the parameters "
            f"{[str(x.type) for x in params]}, but the size {shape} has {rank} dimensions"
        )
    for axis, entry in enumerate(entries):
        if sizes.known(entry) is not None and sizes.known(entry) < 0:  # type: ignore[operator]
            entries[axis] = _extent(params, axis - rank)
    pattern = tuple(
        sizes.known(entry) == 1 and _stretches(shape, params, axis, rank)
        for axis, entry in enumerate(entries)
    )
    vector = _unknown_length(shape)
    return rank, sizes.vector(entries) if vector is None else vector, pattern


def _unknown_length(shape: Any) -> Any:
    """A vector of which only the call tells the length, to be checked then; else None."""
    if not isinstance(shape, Variable) or shape.type.ndim != 1:
        return None
    try:
        get_vector_length(shape)
    except ValueError:
        return apply("cast", shape, "int64")
    return None


def _stretches(shape: Any, params: Sequence[Any], axis: int, rank: int) -> bool:
    """Whether an extent 1 is there to be broadcast: asked for, or of broadcastable parameters."""
    return shape is not None or all(
        x.type.broadcastable[axis - rank] for x in params if x.type.ndim >= rank - axis
    )


def _entries(shape: Any, ndim: int | None) -> list[Any]:
    if isinstance(shape, (int, np.integer)):
        return [int(shape)]
    if isinstance(shape, (tuple, list)):
        return [_entry(n, shape) for n in shape]
    vector = as_tensor_variable(shape)
    if vector.type.ndim == 0:
        return [_entry(vector, shape)]
    if vector.type.ndim != 1 or vector.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"A size must be a vector of integers, got {vector} of type {vector.type}")
    try:
        length = get_vector_length(vector)
    except ValueError:
        if ndim is None:
            raise ValueError(
                f"The length of the size {vector} is not known: say how many dimensions there are, "
                "ndim=…"
            ) from None
        length = ndim
    return list(vector_entries(vector, length))


def _entry(n: Any, shape: Any) -> Any:
    if isinstance(n, (int, np.integer)) and not isinstance(n, bool):
        return int(n)
    n = as_tensor_variable(n)
    if n.type.ndim != 0 or n.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"A size is made of integers; {n} of type {n.type} in {shape} is not one")
    return sizes.simple(n)


def _extent(params: Sequence[Any], axis: int) -> Any:
    """The extent that parameters have together along ``axis`` (negative)."""
    found: Any = 1
    for x in params:
        if x.type.ndim >= -axis and not x.type.broadcastable[axis]:
            static = x.type.shape[axis]
            found = size_of(x, x.type.ndim + axis)
            if static is not None:
                break
    return found


def _float_dtype(dtype: str | None, *params: Any) -> str:
    if dtype is not None:
        return dtypes.dtype_name(dtype)
    return dtypes.upcast(config.floatX, *(x.type.dtype for x in params))


def _draw(
    fn: str | Callable[..., Any], state: Any, size: Any, ndim: int | None, dtype: str,
    params: Sequence[Any],
) -> Pair:  # fmt: skip
    _, vector, pattern = _infer_ndim_bcast(ndim, size, *params)
    op = RandomFunction(fn, TensorType(dtype, pattern))
    new, sample = op(state, vector, *params)
    return new, sample


# distributions -----------------------------------------------------------------------------------


def uniform(
    random_state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
    dtype: str | None = None,
) -> Pair:  # fmt: skip
    """Uniform numbers from ``low`` (included) to ``high`` (excluded).

    Parameters
    ----------
    random_state : variable of a random state.
    size : shape of the sample; None for that of the parameters, which are broadcast to it.
    low, high : numbers or tensors.
    ndim : the rank, where ``size`` does not tell.
    dtype : of the sample; by default what floatX and the parameters have together.

    >>> r = random_state_type()
    >>> uniform(r, size=(2, 3))[1].ndim
    2
    """
    low, high = as_tensor_variable(low), as_tensor_variable(high)
    return _draw("uniform", random_state, size, ndim, _float_dtype(dtype, low, high), (low, high))


def normal(
    random_state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
    dtype: str | None = None,
) -> Pair:  # fmt: skip
    """Normal numbers of mean ``avg`` and standard deviation ``std``; see ``uniform``."""
    avg, std = as_tensor_variable(avg), as_tensor_variable(std)
    return _draw("normal", random_state, size, ndim, _float_dtype(dtype, avg, std), (avg, std))


def binomial(
    random_state: Any, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
    dtype: str = "int64", prob: Any = None,
) -> Pair:  # fmt: skip
    """How many of ``n`` trials succeed, each with probability ``p``; ``prob`` is the old name."""
    n, p = as_tensor_variable(n), as_tensor_variable(p if prob is None else prob)
    if n.type.dtype not in dtypes.DISCRETE:
        raise TypeError(f"binomial: n must be integers, got {n} of type {n.type}")
    return _draw("binomial", random_state, size, ndim, dtype, (n, p))


def poisson(
    random_state: Any, size: Any = None, lam: Any = 1.0, ndim: int | None = None,
    dtype: str = "int64",
) -> Pair:  # fmt: skip
    """Poisson numbers of mean ``lam``."""
    return _draw("poisson", random_state, size, ndim, dtype, (as_tensor_variable(lam),))


def random_integers(
    random_state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
    dtype: str = "int64",
) -> Pair:  # fmt: skip
    """Integers from ``low`` to ``high``, both included."""
    params = (as_tensor_variable(low), as_tensor_variable(high))
    return _draw(random_integers_helper, random_state, size, ndim, dtype, params)


def choice(
    random_state: Any, size: Any = None, a: Any = 2, replace: Any = True, p: Any = None,
    ndim: int | None = None, dtype: str = "int64",
) -> Pair:  # fmt: skip
    """Elements of the vector ``a``, or of 0 … a - 1, with probabilities ``p`` (None: equal)."""
    a = as_tensor_variable(a)
    given = np.int8(replace) if isinstance(replace, bool) else replace
    weights = constant(np.zeros(0, config.floatX)) if p is None else as_tensor_variable(p)
    _, vector, pattern = _infer_ndim_bcast(ndim, () if size is None else size)
    op = RandomFunction(choice_helper, TensorType(dtype, pattern))
    new, sample = op(random_state, vector, a, as_tensor_variable(given), weights)
    return new, sample


def permutation(
    random_state: Any, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: str = "int64"
) -> Pair:
    """Permutations of 0 … n - 1: the sample has a dimension of ``n`` behind those of ``size``."""
    if size is None or (isinstance(size, (tuple, list)) and not size):
        if ndim not in (None, 0, 1):
            raise TypeError(f"permutation: size is {size}, a single one, but ndim is {ndim}")
        size, ndim = (), 0
    _, vector, pattern = _infer_ndim_bcast(ndim, size)
    op = RandomFunction(permutation_helper, TensorType(dtype, (*pattern, False)), ndim_added=1)
    new, sample = op(random_state, vector, n)
    return new, sample


def multinomial(
    random_state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5),
    ndim: int | None = None, dtype: str = "int64",
) -> Pair:  # fmt: skip
    """Counts of ``n`` trials over the categories of the last axis of ``pvals``.

    ``n`` and the other axes of ``pvals`` are broadcast; the sample has the last axis, too.
    """
    n, pvals = as_tensor_variable(n), as_tensor_variable(pvals)
    if n.type.dtype not in dtypes.DISCRETE:
        raise TypeError(f"multinomial: n must be integers, got {n} of type {n.type}")
    if pvals.type.ndim == 0:
        raise TypeError(f"multinomial: pvals must have an axis of categories, got {pvals.type}")
    one = pvals[..., 0] if pvals.type.ndim > 1 else as_tensor_variable(0.0)
    _, vector, pattern = _infer_ndim_bcast(ndim, size, n, one)
    kind = TensorType(dtype, (*pattern, pvals.type.broadcastable[-1]))
    new, sample = RandomFunction(multinomial_helper, kind, ndim_added=1)(
        random_state, vector, n, pvals
    )
    return new, sample


__all__ = [
    "RandomFunction", "RandomStateType", "binomial", "choice", "multinomial", "normal",
    "permutation", "poisson", "random_integers", "random_state_type", "uniform",
]  # fmt: skip
