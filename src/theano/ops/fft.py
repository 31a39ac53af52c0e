"""Discrete Fourier transforms: FFT (complex), RFFTOp and IRFFTOp (real), and functions of them.

All are linear. Their gradients follow the convention of this library, that a complex gradient g
stands for dcost = Re(Σ conj(g) dx): the gradient of a transform is its adjoint, a transform in the
other direction. A real transform keeps half of the spectrum; the other half is its mirror image, so
that in the adjoint the bins which have one (the interior ones) count differently: ``interior``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import threads
from theano.core.config import config
from theano.core.dtypes import COMPLEX
from theano.graph.nodes import Apply
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, constant
from theano.ops.contract import same_extents
from theano.ops.extents import disconnected, not_one, size_of
from theano.ops.reduce_ops import axes_of
from theano.ops.shape_checks import with_pattern_of

_WHY = "pocketfft is called through scipy.fft, which exports no C function"

#: the norm of the adjoint
_OTHER_NORM: Final = {"backward": "forward", "forward": "backward", "ortho": "ortho"}
_SINGLE: Final = frozenset({"float16", "float32", "complex64"})
# Arrays of fewer elements are transformed by one thread.
_PARALLEL_SIZE: Final = 1 << 15


def real_dtype(dtype: str) -> str:
    """The dtype of real numbers as precise as ``dtype``; at least float32."""
    return "float32" if dtype in _SINGLE else "float64"


def complex_dtype(dtype: str) -> str:
    """The same for complex ones."""
    return "complex64" if dtype in _SINGLE else "complex128"


def _workers(x: Any) -> int:
    return threads.thread_count(config) if x.size >= _PARALLEL_SIZE else 1


def checked_norm(norm: Any) -> str:
    """``norm`` as NumPy names it; ValueError for others."""
    name = "backward" if norm is None else norm
    if name not in _OTHER_NORM:
        raise ValueError(
            f"Invalid value {norm!r} for norm: it is None, 'backward', 'ortho' or 'forward'"
        )
    return str(name)


class _Transform(TensorOp, ABC):
    """``axes`` that are transformed (None: all but the first), ``norm`` as in NumPy."""

    lowering = "python"
    why = _WHY
    axes: tuple[int, ...] | None
    norm: str

    def _places(self, ndim: int) -> tuple[int, ...]:
        """The axes of an array of this rank; the last one is halved by real transforms."""
        if self.axes is None:
            return tuple(range(1, ndim))
        if any(not -ndim <= axis < ndim for axis in self.axes):
            raise ValueError(f"{self}: axes {self.axes} are out of range for rank {ndim}")
        return tuple(axis % ndim for axis in self.axes)

    def behind(self, x: Any) -> _Transform:
        """The same transform of arrays like ``x`` with one more axis in front."""
        return self._with_axes([axis + 1 for axis in self._places(self._rank(x))])

    def _rank(self, x: Any) -> int:
        return int(x.type.ndim)

    @abstractmethod
    def _with_axes(self, axes: Sequence[int]) -> _Transform:
        """The same transform along other axes."""


class FFT(_Transform):
    """The complex transform along ``axes`` of a real or complex array, or its inverse."""

    __props__: ClassVar[tuple[str, ...]] = ("axes", "norm", "inverse")

    def __init__(self, axes: Sequence[int], norm: str = "backward", inverse: bool = False) -> None:
        self.axes = tuple(axes)
        self.norm = checked_norm(norm)
        self.inverse = bool(inverse)

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        self._places(x.type.ndim)
        return Apply(self, [x], [TensorType(complex_dtype(x.type.dtype), shape=x.type.shape)()])

    def reference(self, node: Apply, x: Any) -> Any:
        from scipy import fft as library

        places = self._places(x.ndim)
        if not places:
            return np.array(x, dtype=node.outputs[0].type.numpy_dtype)
        run = library.ifftn if self.inverse else library.fftn
        return run(x, axes=places, norm=self.norm, workers=_workers(x))

    def _with_axes(self, axes: Sequence[int]) -> FFT:
        return FFT(axes, self.norm, self.inverse)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (g,) = inputs, output_grads
        assert self.axes is not None
        gradient = FFT(self.axes, _OTHER_NORM[self.norm], not self.inverse)(g)
        if x.type.dtype not in COMPLEX:
            gradient = apply("real", gradient)
        return [with_pattern_of(gradient, x)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


class _Halved(_Transform):
    """A transform between real numbers and half a spectrum.

    ``interior``: factor of the bins whose mirror images are left out. ``pairs``: complex numbers
    are a last axis of size 2, real and imaginary part.
    """

    __props__: ClassVar[tuple[str, ...]] = ("axes", "norm", "interior", "pairs")

    def __init__(
        self, axes: Sequence[int] | None = None, norm: str | None = None, interior: float = 1.0,
        pairs: bool = True,
    ) -> None:  # fmt: skip
        self.axes = None if axes is None else tuple(axes)
        self.norm = checked_norm(self.plain if norm is None else norm)
        self.interior = float(interior)
        self.pairs = bool(pairs)

    plain: ClassVar[str]  # the norm without scaling

    def _with_axes(self, axes: Sequence[int]) -> _Halved:
        return type(self)(axes, self.norm, self.interior, self.pairs)

    def _scaled(self, bins: Any, axis: int, n: int) -> Any:
        """``bins``, which may be written, with the interior ones multiplied."""
        if self.interior != 1.0:
            inside = (slice(None),) * axis + (slice(1, (n + 1) // 2),)
            bins[inside] *= bins.dtype.type(self.interior)
        return bins


class RFFTOp(_Halved):
    """The transform of real numbers: along the last of ``axes`` the bins 0 … n // 2.

    ``RFFTOp()(a, s)`` is Theano's: all axes but the first are transformed, cut or padded with zeros
    to the extents ``s``; the result is not scaled and has the real and imaginary parts in a last
    axis.
    """

    plain = "backward"

    def make_node(self, a: Any, s: Any = None) -> Apply:
        a = as_tensor_variable(a)
        if self.axes is None and a.type.ndim < 2:
            raise TypeError(
                f"{type(self).__name__}: input must have dimension >= 2, with first dimension "
                f"batches, got {a.type}"
            )
        if a.type.dtype in COMPLEX:
            raise TypeError(f"{type(self).__name__}: input must be real, got {a.type}")
        places = self._places(a.type.ndim)
        if s is not None:
            a = resized(a, places, extents_of(s, len(places)))
        shape = list(a.type.shape)
        last = shape[places[-1]]
        shape[places[-1]] = None if last is None else not_one(last // 2 + 1)
        dtype = real_dtype(a.type.dtype) if self.pairs else complex_dtype(a.type.dtype)
        return Apply(self, [a], [TensorType(dtype, shape=shape + [2] * self.pairs)()])

    def reference(self, node: Apply, a: Any) -> Any:
        from scipy import fft as library

        places = self._places(a.ndim)
        bins = library.rfftn(a, axes=places, norm=self.norm, workers=_workers(a))
        bins = self._scaled(bins, places[-1], a.shape[places[-1]])
        if not self.pairs:
            return bins
        bins = np.ascontiguousarray(bins)
        return bins.view(bins.real.dtype).reshape((*bins.shape, 2))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = list(input_shapes[0])
        last = self._places(len(shape))[-1]
        shape[last] = sizes.add(sizes.floordiv(shape[last], 2), 1)
        return [tuple(shape) + (2,) * self.pairs]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (a,), (g,) = inputs, output_grads
        places = self._places(a.type.ndim)
        back = IRFFTOp(places, _OTHER_NORM[self.norm], self.interior / 2, self.pairs)
        return [with_pattern_of(back.with_length(g, size_of(a, places[-1])), a)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


class IRFFTOp(_Halved):
    """Real numbers from half a spectrum; the last of ``axes`` gets the extent n (an input).

    ``IRFFTOp()(a, s)`` is Theano's: the last axis of ``a`` has the real and imaginary parts, all
    axes between it and the first are transformed to the extents ``s``; the result is not scaled.
    """

    plain = "forward"

    def _bins(self, a: Any) -> int:
        """The rank of the spectrum."""
        return int(a.type.ndim) - self.pairs

    def _rank(self, x: Any) -> int:
        return self._bins(x)

    def with_length(self, a: Any, n: sizes.Size) -> Any:
        """The transform of ``a`` whose last axis has extent ``n``."""
        return self.node_of(as_tensor_variable(a), n).outputs[0]

    def make_node(self, a: Any, s: Any = None) -> Apply:
        a = as_tensor_variable(a)
        if self.axes is None and a.type.ndim < 2 + self.pairs:
            raise TypeError(
                f"{type(self).__name__}: input must have dimension >= {2 + self.pairs}, with first "
                f"dimension batches{' and last the two parts' * self.pairs}, got {a.type}"
            )
        places = self._places(self._bins(a))
        if s is None:
            n = sizes.mul(sizes.sub(size_of(a, places[-1]), 1), 2)
        elif getattr(s, "ndim", 1) == 0:
            n = s
        else:
            extents = extents_of(s, len(places))
            n = extents[-1]
            bins = sizes.add(sizes.floordiv(n, 2), 1)
            a = resized(a, places, [*extents[:-1], bins])
        return self.node_of(a, n)

    def node_of(self, a: Any, n: sizes.Size) -> Apply:
        """The node for a spectrum and the last extent of the result."""
        if not self.pairs and a.type.dtype not in COMPLEX:
            a = apply("cast", a, complex_dtype(a.type.dtype))
        if self.pairs and a.type.dtype in COMPLEX:
            raise TypeError(f"{type(self).__name__}: input must have real pairs, got {a.type}")
        bins = self._bins(a)
        shape = list(a.type.shape[:bins])
        known = sizes.known(n)
        shape[self._places(bins)[-1]] = None if known is None else not_one(known)
        kind = TensorType(real_dtype(a.type.dtype), shape=shape)
        return Apply(self, [a, sizes.variable(n)], [kind()])

    def reference(self, node: Apply, a: Any, n: Any) -> Any:
        from scipy import fft as library

        spectrum = a
        if self.pairs:
            if a.shape[-1] != 2:
                raise ValueError(f"{self}: the last axis has the two parts, got shape {a.shape}")
            dtype = np.dtype(real_dtype(a.dtype.name))
            spectrum = np.ascontiguousarray(a, dtype=dtype).view(complex_dtype(dtype.name))[..., 0]
        places = self._places(spectrum.ndim)
        last = places[-1]
        if spectrum.shape[last] != n // 2 + 1:
            raise ValueError(
                f"{self}: a result of size {int(n)} has a spectrum of size {int(n) // 2 + 1}, got "
                f"{spectrum.shape[last]} along axis {last}"
            )
        if self.interior != 1.0:
            spectrum = self._scaled(np.array(spectrum), last, int(n))
        extents = [spectrum.shape[axis] for axis in places[:-1]] + [int(n)]
        workers = _workers(spectrum)
        return library.irfftn(spectrum, s=extents, axes=places, norm=self.norm, workers=workers)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        bins = self._bins(node.inputs[0])
        shape = list(input_shapes[0][:bins])
        shape[self._places(bins)[-1]] = sizes.simple(node.inputs[1])
        return [tuple(shape)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The extent has no influence on values."""
        return [[True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (a, _), (g,) = inputs, output_grads
        places = self._places(self._bins(a))
        back = RFFTOp(places, _OTHER_NORM[self.norm], self.interior * 2, self.pairs)
        return [with_pattern_of(back(g), a), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self.with_length(eval_points[0], inputs[1])]


# extents ------------------------------------------------------------------------------------------


def extents_of(s: Any, count: int) -> list[sizes.Size]:
    """The entries of a shape: ints and 0-d variables, or an int vector of this length."""
    if hasattr(s, "type"):
        return [s[i] for i in range(count)]
    entries = [sizes.simple(e) for e in (s if isinstance(s, (list, tuple)) else np.ravel(s))]
    if len(entries) != count:
        raise ValueError(f"a shape of {count} extents is needed, got {s}")
    return entries


def resized(x: Any, axes: Sequence[int], extents: Sequence[sizes.Size]) -> Any:
    """``x`` cut off or padded with zeros at the end of some axes, to have these extents."""
    for axis, n in zip(axes, extents, strict=True):
        have, wanted = sizes.known(size_of(x, axis)), sizes.known(n)
        if wanted is not None and wanted < 1:
            raise ValueError(f"Invalid number of data points ({wanted}) specified.")
        unknown = have is None or wanted is None
        if unknown or have > wanted:  # type: ignore[operator]
            x = apply("getitem", x, (slice(None),) * axis + (slice(None, n),))
        if unknown or have < wanted:  # type: ignore[operator]
            missing = [size_of(x, i) for i in range(x.type.ndim)]
            missing[axis] = sizes.maximum(sizes.sub(n, missing[axis]), 0)
            zeros = apply("alloc", constant(np.zeros((), x.type.dtype)), *missing)
            x = apply("join", axis, x, zeros)
        if unknown:
            x = same_extents(x, [(axis, n)], "fft")
    return x


# functions, with the signatures of NumPy ----------------------------------------------------------


def _prepared(x: Any, s: Any, axes: Any) -> tuple[Any, tuple[int, ...]]:
    """``x`` with the extents ``s`` along ``axes`` (the last ones, where only ``s`` is given)."""
    x = as_tensor_variable(x)
    ndim = x.type.ndim
    if axes is None:
        count = ndim if s is None else len(s)
        places = tuple(range(ndim - count, ndim))
        if count > ndim:
            raise ValueError(f"fft: {count} extents for an array of {ndim} dimensions")
    else:
        if len(set(axes_of(list(axes), ndim, x))) != len(axes):
            raise ValueError(f"fft: axes {axes} name a dimension twice")
        places = tuple(axis % ndim for axis in axes)
    return (x if s is None else resized(x, places, extents_of(s, len(places)))), places


def fftn(x: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The transform along ``axes`` (default: all) of a real or complex array; complex.

    Parameters
    ----------
    x : array; float32, float16 and complex64 give complex64, others complex128.
    s : extents to which ``x`` is cut or padded with zeros along ``axes``; ints or 0-d variables.
    axes : ints.
    norm : None or "backward" (the inverse is divided by n), "ortho" (both by √n) or "forward".

    >>> import theano.tensor as T
    >>> fftn(T.constant([1.0, 2.0])).eval().real.tolist()
    [3.0, -1.0]
    """
    x, places = _prepared(x, s, axes)
    return FFT(places, checked_norm(norm))(x)


def ifftn(x: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The inverse of ``fftn``.

    >>> import theano.tensor as T
    >>> ifftn(T.constant([3.0, -1.0])).eval().real.tolist()
    [1.0, 2.0]
    """
    x, places = _prepared(x, s, axes)
    return FFT(places, checked_norm(norm), inverse=True)(x)


def rfftn(x: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The transform of a real array as complex numbers: along the last of ``axes`` the bins
    0 … n // 2.

    >>> import theano.tensor as T
    >>> rfftn(T.constant([1.0, 0.0, 0.0])).eval().real.tolist()
    [1.0, 1.0]
    """
    x, places = _prepared(x, s, axes)
    return RFFTOp(places, checked_norm(norm), pairs=False)(x)


def irfftn(x: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """The inverse of ``rfftn``: real. ``s`` are the extents of the result; by default the last is
    twice that of ``x``, less 2.

    >>> import theano.tensor as T
    >>> irfftn(T.constant([1.0, 1.0]), s=[3]).eval().tolist()
    [1.0, 0.0, 0.0]
    """
    if s is None:
        x, places = _prepared(x, None, axes)
        n = sizes.mul(sizes.sub(size_of(x, places[-1]), 1), 2)
    else:
        extents = extents_of(s, len(s))
        n = extents[-1]
        bins = sizes.add(sizes.floordiv(n, 2), 1)
        x, places = _prepared(x, [*extents[:-1], bins], axes)
    return IRFFTOp(places, checked_norm(norm), pairs=False).with_length(x, n)
