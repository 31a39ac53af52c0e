"""Philox4x32-10 as ordinary elementwise ops: element i of a sample is a function of i alone.

J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", Proceedings
of SC'11. A state is a uint64 vector: the key (seed in the low, stream in the high 32 bits) and the
number of the call. Element i of call c is made of the four words of the block with the counter
(low i, high i, low c, high c). So samples fuse with what consumes them, take no memory of their
own, and are the same on every backend and for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.core.record import dataclass
from theano.graph.nodes import Apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.elemwise import Elemwise
from theano.ops.random_state import Drawing
from theano.ops.scalar import ScalarRow, kernel_dtype

_MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
_WEYL: Final = (0x9E3779B9, 0xBB67AE85)
_ROUNDS: Final = 10
_LOW: Final = 0xFFFFFFFF
_TWO_PI: Final = 6.283185307179586


# NumPy -----------------------------------------------------------------------------------------


def philox4x32(counter: Sequence[Any], key: Sequence[Any]) -> tuple[Any, Any, Any, Any]:
    """The four words of the blocks with these counters: uint64 arrays below 2^32.

    Parameters
    ----------
    counter : four numbers or arrays, below 2^32, that broadcast.
    key : two numbers.

    >>> [hex(int(word)) for word in philox4x32((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    a, b, c, d = (np.asarray(word, np.uint64) for word in counter)
    first, second = (int(word) for word in key)
    half, low = np.uint64(32), np.uint64(_LOW)
    for _ in range(_ROUNDS):
        p, q = np.uint64(_MULTIPLIERS[0]) * a, np.uint64(_MULTIPLIERS[1]) * c
        a, b, c, d = (
            (q >> half) ^ b ^ np.uint64(first), q & low, (p >> half) ^ d ^ np.uint64(second),
            p & low,
        )  # fmt: skip
        first, second = (first + _WEYL[0]) & _LOW, (second + _WEYL[1]) & _LOW
    return a, b, c, d


def block_words(key: Any, call: Any, index: Any, attempt: int = 0) -> tuple[Any, Any, Any, Any]:
    """The words of elements ``index`` of a call; ``attempt`` numbers further blocks of each."""
    key, call, index = int(key), int(call), np.asarray(index, np.uint64)
    high = (index >> np.uint64(32)) | np.uint64(attempt << 16)
    counter = (index & np.uint64(_LOW), high, call & _LOW, call >> 32)
    return philox4x32(counter, (key & _LOW, key >> 32))


def unit(high: Any, low: Any) -> Any:
    """float64 numbers in [0, 1) from 27 bits of one word and 26 of another."""
    whole = (high >> np.uint64(5)).astype(np.float64) * 2.0**26
    return (whole + (low >> np.uint64(6)).astype(np.float64)) * 2.0**-53


# kernels ---------------------------------------------------------------------------------------


def _blocks(k: Any, index: Any, call: Any, key: Any) -> tuple[Any, Any, Any, Any]:
    """The same in a kernel: uint64 values of which the upper half is 0."""

    def word(value: int) -> Any:
        return k.const(value, "uint64")

    mask, half = word(_LOW), word(32)
    a, b = k.and_(index, mask), k.shr(index, half)
    c, d = k.and_(call, mask), k.shr(call, half)
    first, second = k.and_(key, mask), k.shr(key, half)
    for turn in range(_ROUNDS):
        p, q = word(_MULTIPLIERS[0]) * a, word(_MULTIPLIERS[1]) * c
        # Sums of keys are the same for all elements: they are computed once.
        one = k.and_(first + word(turn * _WEYL[0] & _LOW), mask)
        two = k.and_(second + word(turn * _WEYL[1] & _LOW), mask)
        a, b, c, d = (
            k.xor(k.xor(k.shr(q, half), b), one), k.and_(q, mask),
            k.xor(k.xor(k.shr(p, half), d), two), k.and_(p, mask),
        )  # fmt: skip
    return a, b, c, d


#: Bits of a uniform number that float16 and float32 hold exactly; an open one has a bit less.
_BITS: Final = {"float16": 11, "float32": 24}


class _Numbers:
    """Words to numbers of ``dtype``, in a kernel (which computes float16 in float32)."""

    def __init__(self, k: Any, words: Sequence[Any], dtype: str) -> None:
        self.k, self.words, self.dtype = k, words, dtype

    def top(self, word: int, count: int) -> Any:
        """The highest ``count`` < 32 bits of a word, as a float."""
        shifted = self.k.shr(self.words[word], self.k.const(32 - count, "uint64"))
        # 32-bit integers become floats in one instruction everywhere.
        return self.k.cast(self.k.cast(shifted, "int32"), kernel_dtype(self.dtype))

    def fraction(self, word: int, less: int, offset: float) -> Any:
        """(bits + offset) / 2^n: n as many as the dtype holds, or ``less`` fewer."""
        if self.dtype == "float64":
            low = 26 - less
            whole, count = self.top(word, 27) * 2.0**low + self.top(word + 1, low), 27 + low
        else:
            count = _BITS[self.dtype] - less
            whole = self.top(word, count)
        return (whole + offset if offset else whole) * 2.0**-count


class _Arrays(_Numbers):
    """The same on NumPy arrays."""

    def top(self, word: int, count: int) -> Any:
        kind = np.dtype(kernel_dtype(self.dtype)).type
        return (self.words[word] >> np.uint64(32 - count)).astype(kind)


def _uniform(k: Any, numbers: _Numbers) -> Any:
    return numbers.fraction(0, 0, 0.0)


def _open(k: Any, numbers: _Numbers) -> Any:
    return numbers.fraction(0, 1, 0.5)


def _normal(k: Any, numbers: _Numbers) -> Any:
    """G. Box, M. Muller, Annals of Mathematical Statistics 29 (1958)."""
    if numbers.dtype == "float64":
        radial, angular = numbers.fraction(0, 0, 1.0), numbers.fraction(2, 0, 0.0)
    else:
        radial = (numbers.top(0, 31) + 0.5) * 2.0**-31
        angular = numbers.top(1, 24) * 2.0**-24
    return k.sqrt(k.log(radial) * -2.0) * k.cos(angular * _TWO_PI)


def _bits(k: Any, numbers: _Numbers) -> Any:
    words, dtype = numbers.words, numbers.dtype
    if isinstance(numbers, _Arrays):
        return words[0] | words[1] << np.uint64(32) if dtype == "uint64" else words[0]
    if dtype == "uint64":
        return k.or_(words[0], k.shl(words[1], k.const(32, "uint64")))
    return k.cast(words[0], dtype)


@dataclass(frozen=True, slots=True)
class Kind:
    """What becomes of four words: ``body(k, numbers)``, for kernels and (k: NumPy) for arrays."""

    body: Callable[[Any, _Numbers], Any]
    dtypes: tuple[str, ...] = ("float16", "float32", "float64")


#: ``uniform``: in [0, 1), 53, 24 or 11 bits. ``open``: in (0, 1), a bit less. ``normal``: standard
#: normal, at most 8.57 (float64) or 6.66 from 0. ``bits``: all bits random.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType({
    "uniform": Kind(_uniform),
    "open": Kind(_open),
    "normal": Kind(_normal),
    "bits": Kind(_bits, ("uint32", "uint64")),
})  # fmt: skip


class _Counted(Drawing, TensorOp):
    """Inputs: key, call (0-d uint64), the extents (0-d int64); then what a subclass adds."""

    def _inputs(self, key: Any, call: Any, extents: Sequence[Any]) -> list[Any]:
        state = [as_tensor_variable(x) for x in (key, call)]
        for x in state:
            if x.type.dtype != "uint64" or x.type.ndim != 0:
                raise TypeError(f"{self}: key and call must be 0-d uint64, got {x} of {x.type}")
        found = []
        for n in extents:
            x = as_tensor_variable(n)
            if x.type.ndim != 0 or x.type.dtype not in dtypes.integer_dtypes:
                raise TypeError(f"{self}: an extent must be an integer, got {x} of type {x.type}")
            value = sizes.known(x)
            if value is not None and value < 0:
                raise ValueError(f"{self}: an extent is negative: {value}")
            found.append(sizes.variable(x))
        return [*state, *found]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Neither state nor extents have a derivative."""
        return [[False] for _ in node.inputs]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.kind}, {self.dtype}}}"  # type: ignore[attr-defined]


class Philox(_Counted):
    """A sample of one of `KINDS` in the shape of the extents.

    Parameters
    ----------
    kind : ``"uniform"``, ``"open"``, ``"normal"`` or ``"bits"``.
    dtype : float16, float32 or float64; uint32 or uint64 for bits.

    >>> key = np.uint64(1)
    >>> sample = Philox("uniform", "float64")(key, np.uint64(0), 2, 3)
    >>> sample.eval().shape
    (2, 3)
    """

    __props__: ClassVar[tuple[str, ...]] = ("kind", "dtype")
    lowering = "map"

    def __init__(self, kind: str, dtype: str) -> None:
        if kind not in KINDS:
            raise ValueError(f"Philox: kind must be one of {list(KINDS)}, not {kind!r}")
        if dtype not in KINDS[kind].dtypes:
            raise TypeError(f"Philox draws {kind} as {KINDS[kind].dtypes}, not as {dtype}")
        self.kind, self.dtype = kind, dtype

    def make_node(self, key: Any, call: Any, *extents: Any) -> Apply:
        inputs = self._inputs(key, call, extents)
        kind = TensorType(self.dtype, shape=tuple(map(sizes.known, inputs[2:])))
        return Apply(self, inputs, [kind()])

    def reference(self, node: Apply, key: Any, call: Any, *extents: Any) -> Any:
        shape = tuple(map(int, extents))
        if any(n < 0 for n in shape):
            raise ValueError(f"{self}: an extent is negative: {shape}")
        index = np.arange(np.prod(shape, dtype=np.int64), dtype=np.uint64).reshape(shape)
        numbers = _Arrays(np, block_words(key, call, index), self.dtype)
        return KINDS[self.kind].body(np, numbers)

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The block of the element's position in C order."""
        key, call, *extents = (m.input(i, axes=()) for i in range(len(node.inputs)))
        index = m.k.const(0, "int64")
        for axis, extent in enumerate(extents):
            index = m.index(axis) if axis == 0 else index * extent + m.index(axis)
        words = _blocks(m.k, m.k.cast(index, "uint64"), call, key)
        return (KINDS[self.kind].body(m.k, _Numbers(m.k, words, self.dtype)),)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(map(sizes.simple, node.inputs[2:]))]


# integers below a bound ----------------------------------------------------------------------


def _mulhi_reference(bits: Any, bound: Any) -> Any:
    half, low = np.uint64(32), np.uint64(_LOW)
    with np.errstate(over="ignore"):
        a, b = bits >> half, bits & low
        c, d = bound >> half, bound & low
        middle = a * d + (b * d >> half)
        other = b * c + (middle & low)
        return a * c + (middle >> half) + (other >> half)


def _mulhi_body(k: Any, bits: Any, bound: Any) -> Any:
    half, low = k.const(32, "uint64"), k.const(_LOW, "uint64")
    a, b = k.shr(bits, half), k.and_(bits, low)
    c, d = k.shr(bound, half), k.and_(bound, low)
    middle = a * d + k.shr(b * d, half)
    other = b * c + k.and_(middle, low)
    return a * c + k.shr(middle, half) + k.shr(other, half)


def _both_uint64(inputs: Sequence[str]) -> str:
    if tuple(inputs) != ("uint64", "uint64"):
        raise TypeError("both must be uint64")
    return "uint64"


#: The upper 64 bits of a product of two uint64: random bits times n are an integer below n, each
#: with a probability within 2^-64 of 1 / n.
mulhi = Elemwise(
    ScalarRow("mulhi", 2, _both_uint64, _mulhi_reference, _mulhi_body, None,
              domain=((0.0, 2.0**63),))
)  # fmt: skip
