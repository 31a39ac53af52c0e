"""Convolution, pooling and batch normalisation: each case once per peer, like `workloads`.

Gradients are the functions that a training step calls: all of what a peer needs to compute for
them belongs to the time (a maximum's gradient finds the maxima first).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from workloads import Array, Build, Case, of_jax, of_numpy, of_theano, of_torch

EPSILON = 1e-4
# (images, channels, height and width, filters, height and width of kernels)
USUAL = (16, 64, 56, 64, 3)
DIGITS = (128, 1, 28, 20, 5)
POINTS = (32, 256, 14, 256, 1)
SMALL = {
    "conv_256": (32, 256, 14, 256, 3), "conv_512": (32, 512, 7, 512, 3), "conv_28": DIGITS,
    "conv_point": POINTS,
}  # fmt: skip
# Zeros around the images, by the size of kernels.
AROUND = {1: 0, 3: 1, 5: 0}

Layer = tuple[int, int, int, int, int]


def _layer(shape: Layer) -> Callable[[Any, int], list[Array]]:
    """Images, kernels that keep the size of numbers, and what comes back for the result."""

    def make(rng: Any, shrink: int) -> list[Array]:
        n, c, side, filters, size = shape if shrink == 1 else (2, 5, 9, 6, shape[4])
        images = rng.standard_normal((n, c, side, side), dtype=np.float32)
        kernels = rng.standard_normal((filters, c, size, size), dtype=np.float32)
        end = side + 2 * AROUND[size] - size + 1
        back = rng.standard_normal((n, filters, end, end), dtype=np.float32)
        return [images, kernels / np.float32(size * c**0.5), back]

    return make


def _distinct(rng: Any, shape: tuple[int, ...]) -> Array:
    """Numbers from -1 to 1 no two of which are equal: peers do not agree on maxima that tie."""
    count = int(np.prod(shape))
    numbers = (rng.permutation(count) * (2 / count) - 1).astype(np.float32)
    return numbers.reshape(shape)


def _images(rng: Any, shrink: int) -> list[Array]:
    shape = USUAL[:3] if shrink == 1 else (2, 3, 12)
    return [_distinct(rng, (*shape, shape[-1]))]


def _images_and(size: int) -> Callable[[Any, int], list[Array]]:
    """Images, and what comes back for windows of a size at every second cell."""

    def make(rng: Any, shrink: int) -> list[Array]:
        (x,) = _images(rng, shrink)
        side = (x.shape[2] - size) // 2 + 1
        back = rng.standard_normal((*x.shape[:2], side, side), dtype=np.float32)
        return [x, back]

    return make


def _hidden(rng: Any, shrink: int) -> list[Array]:
    """What a first layer for digits gives, a bias, and what comes back behind the pooling."""
    n, c, side = (128, 20, 24) if shrink == 1 else (2, 3, 8)
    bias = rng.uniform(-0.5, 0.5, c).astype(np.float32)
    back = rng.standard_normal((n, c, side // 2, side // 2), dtype=np.float32)
    return [_distinct(rng, (n, c, side, side)), bias, back]


def _normalised(rng: Any, shrink: int) -> list[Array]:
    (x,) = _images(rng, shrink)
    scale, shift = rng.standard_normal((2, x.shape[1]), dtype=np.float32)
    back = rng.standard_normal(x.shape, dtype=np.float32)
    return [x, scale, shift, back]


# NumPy, which is also the reference --------------------------------------------------------------


def _taps(x: Array, size: int) -> Any:
    """(row, column, cells) for the taps of a kernel."""
    around = AROUND[size]
    padded = np.pad(x, ((0, 0), (0, 0), (around, around), (around, around)))
    end = padded.shape[2] - size + 1
    for i in range(size):
        for j in range(size):
            yield i, j, padded[:, :, i : i + end, j : j + end].reshape(*x.shape[:2], -1)


def _conv(x: Array, w: Array, g: Any = None) -> Array:
    out = sum(w[:, :, i, j] @ cells for i, j, cells in _taps(x, w.shape[2]))
    end = x.shape[2] + 2 * AROUND[w.shape[2]] - w.shape[2] + 1
    return out.reshape(len(x), len(w), end, end)


def _conv_images(x: Array, w: Array, g: Array) -> Array:
    return _conv(g, w[:, :, ::-1, ::-1].swapaxes(0, 1))


def _conv_kernels(x: Array, w: Array, g: Array) -> Array:
    out = np.empty_like(w)
    rows = g.swapaxes(0, 1).reshape(len(w), -1)
    for i, j, cells in _taps(x, w.shape[2]):
        out[:, :, i, j] = rows @ cells.swapaxes(0, 1).reshape(x.shape[1], -1).T
    return out


def _parted(x: Array) -> Array:
    n, c, height, width = x.shape
    return x.reshape(n, c, height // 2, 2, width // 2, 2)


def _max_pool(x: Array) -> Array:
    return _parted(x).max((3, 5))


def _max_pool_grad(x: Array, g: Array) -> Array:
    parts = _parted(x)
    top = parts == parts.max((3, 5), keepdims=True)
    return (top * g[:, :, :, None, :, None]).reshape(x.shape)


def _windows(x: Array) -> Any:
    """The nine cells of windows of 3×3 at every second cell, as views."""
    side = (x.shape[2] - 3) // 2 + 1
    for i in range(3):
        for j in range(3):
            yield x[:, :, i : i + 2 * side - 1 : 2, j : j + 2 * side - 1 : 2]


def _max_pool_3(x: Array) -> Array:
    return np.maximum.reduce(list(_windows(x)))


def _max_pool_3_grad(x: Array, g: Array) -> Array:
    out, top = np.zeros_like(x), _max_pool_3(x)
    for cells, given in zip(_windows(x), _windows(out), strict=True):
        given += np.where(cells == top, g, 0)
    return out


def _mean_pool(x: Array) -> Array:
    return sum(_windows(x)) / x.dtype.type(9)


def _mean_pool_grad(x: Array, g: Array) -> Array:
    out = np.zeros_like(x)
    for cells in _windows(out):
        cells += g / x.dtype.type(9)
    return out


def _bias_tanh_pool(x: Array, bias: Array, g: Array) -> tuple[Array, ...]:
    """The result, and the gradients for images and bias."""
    y = np.tanh(x + bias[:, None, None])
    top = _max_pool(y)
    back = _max_pool_grad(y, g * (1 - top * top))
    return top, back, back.sum((0, 2, 3))


def _batch_norm(x: Array, scale: Array, shift: Array, g: Array) -> tuple[Array, ...]:
    """The result, and the gradients for images, scale and shift."""
    axes = (0, 2, 3)
    mean, scale, shift = x.mean(axes, keepdims=True), scale[:, None, None], shift[:, None, None]
    around = x - mean
    inverse = 1 / np.sqrt((around * around).mean(axes, keepdims=True) + x.dtype.type(EPSILON))
    standard = around * inverse
    by_scale, by_shift = (g * standard).sum(axes), g.sum(axes)
    count = x.dtype.type(x.size // x.shape[1])
    inner = (by_shift[:, None, None] + standard * by_scale[:, None, None]) / count
    return scale * standard + shift, scale * inverse * (g - inner), by_scale, by_shift


# this project ------------------------------------------------------------------------------------


def _theano_conv(T: Any, x: Any, w: Any, size: int = 3) -> Any:
    return T.nnet.conv2d(x, w, border_mode=AROUND[size], filter_flip=False)


def _theano_pool(T: Any, x: Any, kind: str) -> Any:
    from theano.tensor.signal.pool import pool_2d

    if kind == "max":
        return pool_2d(x, (2, 2), ignore_border=True)
    mode = "max" if kind == "max3" else "average_exc_pad"
    return pool_2d(x, (3, 3), True, stride=(2, 2), mode=mode)


def _back(T: Any, out: Any, wrt: Any, g: Any) -> Any:
    return T.grad(None, wrt, known_grads={out: g})


def _theano_bias_tanh_pool(T: Any, x: Any, bias: Any, g: Any) -> list[Any]:
    out = _theano_pool(T, T.tanh(x + bias.dimshuffle("x", 0, "x", "x")), "max")
    return [out, *_back(T, out, [x, bias], g)]


def _theano_batch_norm(T: Any, x: Any, scale: Any, shift: Any, g: Any) -> list[Any]:
    out, *_ = T.nnet.bn.batch_normalization_train(x, scale, shift, "spatial", epsilon=EPSILON)
    return [out, *_back(T, out, [x, scale, shift], g)]


# JAX ---------------------------------------------------------------------------------------------


def _jax_conv(jax: Any, x: Any, w: Any) -> Any:
    around = AROUND[w.shape[2]]
    return jax.lax.conv_general_dilated(x, w, (1, 1), [(around, around)] * 2)


def _jax_back(jax: Any, function: Callable[[Any], Any], at: Any, g: Any) -> Any:
    return jax.vjp(function, at)[1](g)[0]


def _jax_pool(jax: Any, x: Any, kind: str) -> Any:
    window, step = (1, 1, 2, 2) if kind == "max" else (1, 1, 3, 3), (1, 1, 2, 2)
    if kind in ("max", "max3"):
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, window, step, "VALID")
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, step, "VALID") / 9


def _jax_bias_tanh_pool(jax: Any, x: Any, bias: Any, g: Any) -> tuple[Any, ...]:
    def layer(x: Any, bias: Any) -> Any:
        return _jax_pool(jax, jax.numpy.tanh(x + bias[:, None, None]), "max")

    out, back = jax.vjp(layer, x, bias)
    return (out, *back(g))


def _jax_batch_norm(jax: Any, x: Any, scale: Any, shift: Any, g: Any) -> tuple[Any, ...]:
    def normal(x: Any, scale: Any, shift: Any) -> Any:
        around = x - x.mean((0, 2, 3), keepdims=True)
        variance = (around * around).mean((0, 2, 3), keepdims=True)
        factor = jax.lax.rsqrt(variance + EPSILON) * scale[:, None, None]
        return around * factor + shift[:, None, None]

    out, back = jax.vjp(normal, x, scale, shift)
    return (out, *back(g))


# PyTorch -----------------------------------------------------------------------------------------


def _torch_conv_grad(place: int) -> Callable[..., Any]:
    """Only the gradient for one operand: 0 images, 1 kernels."""

    def run(torch: Any, x: Any, w: Any, g: Any) -> Any:
        wanted = [i == place for i in range(3)]
        around = [AROUND[w.shape[2]]] * 2
        found = torch.ops.aten.convolution_backward(
            g, x, w, None, [1, 1], around, [1, 1], False, [0, 0], 1, wanted
        )
        return found[place]

    return run


def _torch_pool(torch: Any, x: Any, kind: str) -> Any:
    functional = torch.nn.functional
    if kind == "mean":
        return functional.avg_pool2d(x, 3, 2)
    return functional.max_pool2d(x, 2 if kind == "max" else 3, 2)


def _torch_pool_grad(torch: Any, x: Any, g: Any, kind: str) -> Any:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(_torch_pool(torch, x, kind), x, g)[0]


def _torch_bias_tanh_pool(torch: Any, x: Any, bias: Any, g: Any) -> tuple[Any, ...]:
    wrt = [v.detach().requires_grad_() for v in (x, bias)]
    out = _torch_pool(torch, torch.tanh(wrt[0] + wrt[1][:, None, None]), "max")
    return (out.detach(), *torch.autograd.grad(out, wrt, g))


def _torch_batch_norm(torch: Any, x: Any, scale: Any, shift: Any, g: Any) -> tuple[Any, ...]:
    wrt = [v.detach().requires_grad_() for v in (x, scale, shift)]
    out = torch.nn.functional.batch_norm(
        wrt[0], None, None, wrt[1], wrt[2], training=True, eps=EPSILON
    )
    return (out.detach(), *torch.autograd.grad(out, wrt, g))


# cases -------------------------------------------------------------------------------------------

_THREE = ["ftensor4"] * 3


def _forward(shape: Layer) -> Case:
    size = shape[4]
    build: dict[str, Build] = {
        "new": of_theano(_THREE, lambda T, x, w, g: _theano_conv(T, x, w, size), unused=True),
        "jax": of_jax(lambda jax, x, w, g: _jax_conv(jax, x, w)),
        "torch": of_torch(
            lambda torch, x, w, g: torch.nn.functional.conv2d(x, w, padding=AROUND[size])
        ),
        "numpy": of_numpy(_conv),
    }
    return Case(_layer(shape), _conv, build, rtol=1e-3, atol=1e-3)


def _kernels(shape: Layer) -> Case:
    size = shape[4]
    build: dict[str, Build] = {
        "new": of_theano(_THREE, lambda T, x, w, g: _back(T, _theano_conv(T, x, w, size), w, g)),
        "jax": of_jax(lambda jax, x, w, g: _jax_back(jax, lambda at: _jax_conv(jax, x, at), w, g)),
        "torch": of_torch(_torch_conv_grad(1)),
        "numpy": of_numpy(_conv_kernels),
    }
    # Elements are sums of 50,176 products and more.
    return Case(_layer(shape), _conv_kernels, build, rtol=1e-3, atol=3e-2)


def _pool_case(kind: str, reference: Callable[..., Array]) -> Case:
    build: dict[str, Build] = {
        "new": of_theano(["ftensor4"], lambda T, x: _theano_pool(T, x, kind)),
        "jax": of_jax(lambda jax, x: _jax_pool(jax, x, kind)),
        "torch": of_torch(lambda torch, x: _torch_pool(torch, x, kind)),
        "numpy": of_numpy(reference),
    }
    return Case(_images, reference, build, atol=1e-5)


def _pool_grad_case(kind: str, reference: Callable[..., Array]) -> Case:
    build: dict[str, Build] = {
        "new": of_theano(
            ["ftensor4"] * 2, lambda T, x, g: _back(T, _theano_pool(T, x, kind), x, g)
        ),
        "jax": of_jax(lambda jax, x, g: _jax_back(jax, lambda at: _jax_pool(jax, at, kind), x, g)),
        "torch": of_torch(lambda torch, x, g: _torch_pool_grad(torch, x, g, kind)),
        "numpy": of_numpy(reference),
    }
    return Case(_images_and(2 if kind == "max" else 3), reference, build, atol=1e-5)


CASES: Mapping[str, Case] = {
    "conv3x3": _forward(USUAL),
    "conv3x3_images": Case(
        _layer(USUAL),
        _conv_images,
        {
            "new": of_theano(_THREE, lambda T, x, w, g: _back(T, _theano_conv(T, x, w), x, g)),
            "jax": of_jax(
                lambda jax, x, w, g: _jax_back(jax, lambda at: _jax_conv(jax, at, w), x, g)
            ),
            "torch": of_torch(_torch_conv_grad(0)),
            "numpy": of_numpy(_conv_images),
        },
        rtol=1e-3,
        atol=1e-3,
    ),
    "conv3x3_kernels": _kernels(USUAL),
    "conv_28_kernels": _kernels(DIGITS),
    "conv_point_kernels": _kernels(POINTS),
    **{name: _forward(shape) for name, shape in SMALL.items()},
    "max_pool": _pool_case("max", _max_pool),
    "max_pool_grad": _pool_grad_case("max", _max_pool_grad),
    "max_pool_3": _pool_case("max3", _max_pool_3),
    "max_pool_3_grad": _pool_grad_case("max3", _max_pool_3_grad),
    "mean_pool": _pool_case("mean", _mean_pool),
    "mean_pool_grad": _pool_grad_case("mean", _mean_pool_grad),
    "bias_tanh_pool": Case(
        _hidden,
        _bias_tanh_pool,
        {
            "new": of_theano(["ftensor4", "fvector", "ftensor4"], _theano_bias_tanh_pool),
            "jax": of_jax(_jax_bias_tanh_pool),
            "torch": of_torch(_torch_bias_tanh_pool),
            "numpy": of_numpy(_bias_tanh_pool),
        },
        rtol=1e-3,
        atol=1e-2,  # the gradient for the bias is a sum of 18,432 numbers
    ),
    "batch_norm": Case(
        _normalised,
        _batch_norm,
        {
            "new": of_theano(["ftensor4", "fvector", "fvector", "ftensor4"], _theano_batch_norm),
            "jax": of_jax(_jax_batch_norm),
            "torch": of_torch(_torch_batch_norm),
            "numpy": of_numpy(_batch_norm),
        },
        rtol=1e-3,
        atol=1e-2,  # the gradients for scale and shift are sums of 50,176 numbers
    ),
}
