"""Draws from MRG31k3p states: `mrg_uniform`, and the matrices that jump ahead in the sequence.

A state is an int32 matrix (streams, 6); see ``runtime/routines/random.py`` for the generator.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.constants import vector_entries
from theano.ops.random_state import Drawing
from theano.runtime.routines.base import RoutineFailed
from theano.runtime.routines.random import M1, M2
from theano.runtime.routines.random import mrg_uniform as _draw

FLOATS: Final = ("float16", "float32", "float64")
#: One step of each component: the newest of three values comes first.
A1: Final = ((0, 4194304, 129), (1, 0, 0), (0, 1, 0))
A2: Final = ((32768, 0, 32769), (1, 0, 0), (0, 1, 0))


# jumping ahead -----------------------------------------------------------------------------------


def _power(matrix: Any, exponent: int, modulus: int) -> Any:
    """A power of a 3 x 3 matrix modulo ``modulus``, in Python integers."""
    base = np.array(matrix, dtype=object)
    result = np.array(np.eye(3, dtype=int), dtype=object)
    while exponent:
        if exponent & 1:
            result = result.dot(base) % modulus
        base = base.dot(base) % modulus
        exponent >>= 1
    return result


@functools.cache
def _jump(steps: int) -> tuple[Any, Any]:
    """The uint64 matrices that move both components ``steps`` numbers on."""
    pair = ((A1, M1), (A2, M2))
    first, second = (_power(matrix, steps, m).astype(np.uint64) for matrix, m in pair)
    return first, second


def jump_ahead(states: Any, steps: int) -> Any:
    """States (…, 6) moved ``steps`` numbers on, as int32.

    >>> jump_ahead(np.full(6, 12345, "int32"), 0).tolist()
    [12345, 12345, 12345, 12345, 12345, 12345]
    """
    first, second = _jump(steps)
    values = np.asarray(states).astype(np.uint64)
    # Three products below 2^62 each: their sum fits into 64 bits.
    x = values[..., :3] @ first.T % np.uint64(M1)
    y = values[..., 3:] @ second.T % np.uint64(M2)
    return np.concatenate((x, y), axis=-1).astype(np.int32)


def ff_2p134(rstate: Any) -> Any:
    """A state 2^134 numbers on: the beginning of the next stream."""
    return jump_ahead(rstate, 2**134)


def ff_2p72(rstate: Any) -> Any:
    """A state 2^72 numbers on: the beginning of the next substream."""
    return jump_ahead(rstate, 2**72)


def substreams(rstate: Any, count: int) -> Any:
    """``count`` states, each 2^72 numbers after the one before, as an int32 matrix.

    >>> rows = substreams(np.full(6, 12345, "int32"), 3)
    >>> bool((rows[2] == ff_2p72(ff_2p72(rows[0]))).all())
    True
    """
    rows = np.asarray(rstate, dtype=np.int32).reshape(1, 6)
    while len(rows) < count:
        following = jump_ahead(rows[: count - len(rows)], len(rows) << 72)
        rows = np.concatenate((rows, following))
    return np.ascontiguousarray(rows[:count])


# the op ------------------------------------------------------------------------------------------


class mrg_uniform(Drawing, TensorOp):
    """(state, *extents) to (next state, sample), uniform in (0, 1).

    Parameters
    ----------
    output_type : the type of the sample: float16, float32 or float64; float64 numbers have 31 bits.
    inplace : accepted; whether storage is used again is decided when a function is compiled.

    The inputs are an int32 matrix (streams, 6) and 0-d integers. Element i, in C order, comes from
    stream i modulo their number.

    >>> import theano
    >>> state = theano.shared(substreams([12345] * 6, 2))
    >>> new_state, sample = mrg_uniform.new(state, None, "float64", (2,))
    >>> round(float(sample.eval()[0]), 6)
    0.735324
    """

    __props__: ClassVar[tuple[str, ...]] = ("output_type",)
    lowering = "step"
    no_gradient = "Random numbers are no function of their state that could be differentiated."

    def __init__(self, output_type: Any, inplace: bool = False) -> None:
        if output_type.dtype not in FLOATS:
            raise TypeError(f"mrg_uniform draws {', '.join(FLOATS)}, not {output_type.dtype}")
        self.output_type = output_type
        self.inplace = inplace

    @classmethod
    def new(cls, rstate: Any, ndim: int | None, dtype: str, size: Any) -> list[Any]:
        """[next state, sample] of shape ``size``: a vector of length ``ndim``, or a sequence."""
        if isinstance(size, (tuple, list)):
            extents = [sizes.simple(n) for n in size]
        else:
            extents = list(vector_entries(as_tensor_variable(size), ndim))
        if ndim is not None and len(extents) != ndim:
            raise TypeError(f"ndim is {ndim}, but the size has {len(extents)} elements: {size}")
        pattern = [sizes.known(n) == 1 for n in extents]
        outputs: list[Any] = cls(TensorType(dtype, pattern))(rstate, *extents)
        return outputs

    def make_node(self, rstate: Any, *extents: Any) -> Apply:
        rstate = as_tensor_variable(rstate)
        if rstate.type.dtype != "int32" or rstate.type.ndim != 2:
            raise TypeError(f"mrg_uniform: the state must be an int32 matrix, got {rstate.type}")
        if len(extents) != self.output_type.ndim:
            raise TypeError(f"mrg_uniform: {self.output_type} needs another size than {extents}")
        given = []
        for n in extents:
            x = as_tensor_variable(n)
            if x.type.ndim != 0 or x.type.dtype not in dtypes.integer_dtypes:
                raise TypeError(f"mrg_uniform: an extent must be an integer, got {x} of {x.type}")
            given.append(sizes.variable(x))
        kind = self.output_type
        static = [
            old if sizes.known(n) in (None, 1) else sizes.known(n)
            for n, old in zip(given, kind.shape, strict=True)
        ]
        return Apply(self, [rstate, *given], [rstate.type(), kind.clone(shape=static)()])

    def reference(self, node: Apply, rstate: Any, *extents: Any) -> Any:
        shape = tuple(int(n) for n in extents)
        if any(n < 0 for n in shape):
            raise ValueError(f"mrg_uniform: an extent is negative: {shape}")
        new = np.empty(rstate.shape, np.int32)
        out = np.empty(shape, self.output_type.dtype)
        try:
            _draw(new, out.reshape(-1), rstate)
        except RoutineFailed as error:
            raise ValueError(f"mrg_uniform: {error}") from error
        return new, out

    def lower(self, node: Apply, low: Any) -> None:
        """One routine over the flat sample."""
        rstate, *extents = node.inputs
        new, sample = node.outputs
        values = [low.scalar(n) for n in extents]
        total = low.k.const(1, "int64")
        for value in values:
            low.check(low.let("ge", value, 0), "mrg_uniform: an extent is negative")
            total = low.let("mul", total, value)
        old = low.array(rstate)
        flat = low.reshaped(low.alloc(sample), (total,))
        low.routine("mrg_uniform", (low.alloc(new), flat, old))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0]), tuple(map(sizes.simple, node.inputs[1:]))]

    def __str__(self) -> str:
        return f"mrg_uniform{{{self.output_type}}}"
