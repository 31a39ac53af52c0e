"""What the routines of convolution mean, in NumPy: sums over the taps of the kernels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np


def _taps(numbers: Any, image: Any, kernel: Any, result: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Each tap, the results that it reaches inside of the image, and the cells that it reads."""
    for tap in itertools.product(*map(range, kernel.shape[-3:])):
        to, of = [], []
        for axis, k in enumerate(tap):
            stride, dilation, before = (int(numbers[3 * i + axis]) for i in range(3))
            cells, count = image.shape[2 + axis], result.shape[2 + axis]
            shift = k * dilation - before
            first = max(0, -(shift // stride))
            stop = max(first, min(count, (cells - 1 - shift) // stride + 1))
            start = first * stride + shift
            to.append(slice(first, stop))
            of.append(slice(start, start + (stop - first) * stride, stride))
        if all(s.stop > s.start for s in to):
            yield tap, tuple(to), tuple(of)


def _grouped(array: Any, groups: int) -> Any:
    """``array`` with its channels divided into groups, sharing memory."""
    batch, channels, *cells = array.shape
    first, second, *rest = array.strides
    each = channels // groups if groups else 0
    return np.lib.stride_tricks.as_strided(
        array, (batch, groups, each, *cells), (first, second * each, second, *rest)
    )


def _sum(formula: str, a: Any, b: Any) -> Any:
    return np.einsum(formula, a, b, optimize=True)


def conv(result: Any, image: Any, kernel: Any, *numbers: Any) -> None:
    """``result[n, o, p] = Σ image[n, c, p·stride + k·dilation - before] kernel[g, o, c, k]``."""
    x, y = (_grouped(a, len(kernel)) for a in (image, result))
    result[...] = 0
    for tap, to, of in _taps(numbers, image, kernel, result):
        part = _sum("ngcpqr,goc->ngopqr", x[(..., *of)], kernel[(..., *tap)])
        y[(..., *to)] += part


def conv_bias(result: Any, image: Any, kernel: Any, bias: Any, *numbers: Any) -> None:
    """`conv`, and a bias per filter; at least 0 if the last number says so."""
    conv(result, image, kernel, *numbers)
    result += bias.reshape(1, -1, 1, 1, 1)
    if numbers[-1]:
        result[result < 0] = 0


def conv_data(image: Any, result: Any, kernel: Any, *numbers: Any) -> None:
    """The gradient of `conv` for its images: natively a `conv` of other views."""
    x, y = (_grouped(a, len(kernel)) for a in (image, result))
    image[...] = 0
    for tap, to, of in _taps(numbers, image, kernel, result):
        x[(..., *of)] += _sum("ngopqr,goc->ngcpqr", y[(..., *to)], kernel[(..., *tap)])


def conv_weights(kernel: Any, image: Any, result: Any, *numbers: Any) -> None:
    """The gradient of `conv` for its kernels."""
    x, y = (_grouped(a, len(kernel)) for a in (image, result))
    kernel[...] = 0
    for tap, to, of in _taps(numbers, image, kernel, result):
        kernel[(..., *tap)] = _sum("ngopqr,ngcpqr->goc", y[(..., *to)], x[(..., *of)])


def local(result: Any, image: Any, kernel: Any, *numbers: Any) -> None:
    """The same as `conv` with kernels for each position."""
    x, y = (_grouped(a, len(kernel)) for a in (image, result))
    result[...] = 0
    for tap, to, of in _taps(numbers, image, kernel, result):
        part = kernel[(slice(None), slice(None), *to, slice(None), *tap)]
        y[(..., *to)] += _sum("ngcpqr,gopqrc->ngopqr", x[(..., *of)], part)


def local_data(image: Any, result: Any, kernel: Any, *numbers: Any) -> None:
    """The gradient of `local` for its images."""
    x, y = (_grouped(a, len(kernel)) for a in (image, result))
    image[...] = 0
    for tap, to, of in _taps(numbers, image, kernel, result):
        part = kernel[(slice(None), slice(None), *to, slice(None), *tap)]
        x[(..., *of)] += _sum("ngopqr,gopqrc->ngcpqr", y[(..., *to)], part)


def local_weights(kernel: Any, image: Any, result: Any, *numbers: Any) -> None:
    """The gradient of `local` for its kernels; at stride 0 they are the same at all positions."""
    x, y = (_grouped(a, len(kernel)) for a in (image, result))
    kernel[...] = 0
    once = np.array([s == 0 for s in kernel.strides[2:5]])
    for tap, to, of in _taps(numbers, image, kernel, result):
        part = _sum("ngopqr,ngcpqr->gopqrc", y[(..., *to)], x[(..., *of)])
        if once.all():
            kernel[(slice(None), slice(None), 0, 0, 0, slice(None), *tap)] = part.sum((2, 3, 4))
        else:
            kernel[(slice(None), slice(None), *to, slice(None), *tap)] = part
