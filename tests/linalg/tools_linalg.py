"""Running functions of matrices natively and by reference, and checking their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import theano
import theano.tensor as T

LOOSE = {"float32": 2e-4, "float64": 1e-9, "complex128": 1e-9, "complex64": 2e-4}


def random(*shape: int, dtype: str = "float64") -> Any:
    """Normal numbers, the same for the same shape."""
    return np.random.default_rng(len(shape) + sum(shape)).normal(size=shape).astype(dtype)


def positive(n: int, *batch: int, dtype: str = "float64") -> Any:
    """Symmetric positive definite matrices."""
    a = random(*batch, n, n)
    return (a @ np.swapaxes(a, -1, -2) + np.eye(n)).astype(dtype)


def regular(n: int, *batch: int, dtype: str = "float64") -> Any:
    """Matrices far from singular."""
    return (random(*batch, n, n) + 3 * np.eye(n)).astype(dtype)


def variables(values: Sequence[Any]) -> list[Any]:
    """One per value, nothing broadcastable."""
    return [T.TensorType(v.dtype.name, (False,) * v.ndim)(f"v{i}") for i, v in enumerate(values)]


def listed(outs: Any) -> list[Any]:
    return list(outs) if isinstance(outs, (list, tuple)) else [outs]


def both(build: Callable[..., Any], *values: Any) -> list[Any]:
    """The values of ``build(*variables)``, native and by reference, after a check that they agree
    and have the static types that were promised."""
    values = tuple(map(np.asarray, values))
    vs = variables(values)
    outs = listed(build(*vs))
    plain = theano.Mode(linker="numpy", optimizer=None)
    expected = theano.function(vs, outs, mode=plain, on_unused_input="ignore")(*values)
    found = theano.function(vs, outs, on_unused_input="ignore")(*values)
    for a, b, out in zip(found, expected, outs, strict=True):
        assert a.dtype == b.dtype == out.type.numpy_dtype
        assert a.shape == b.shape
        close(a, b)
    return found


def close(a: Any, b: Any) -> None:
    """Equal up to the rounding of a factorisation."""
    loose = LOOSE.get(np.asarray(a).dtype.name, 0)
    np.testing.assert_allclose(a, b, rtol=loose, atol=loose)


def derivatives(build: Callable[..., Any], *values: Any) -> None:
    """Gradients of first and second order against differences, and R against L.

    The first order runs natively; the second by reference, and natively against R.
    """
    rng = np.random.default_rng(3)
    plain = theano.Mode(linker="numpy", optimizer="fast_compile")
    vs = variables(values)
    shapes = [v.shape for v in theano.function(vs, listed(build(*vs)), mode=plain)(*values)]
    weights = [rng.normal(size=shape) for shape in shapes]
    directions = [rng.normal(size=v.shape) for v in values]

    def cost(*xs: Any) -> Any:
        outs = zip(listed(build(*xs)), weights, strict=True)
        return sum((out * w).sum() for out, w in outs if "float" in out.type.dtype)

    def along(*xs: Any) -> Any:
        gradients = theano.grad(cost(*xs), list(xs))
        return sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))

    theano.gradient.verify_grad(cost, list(values), rng=np.random.RandomState(1))
    rng = np.random.RandomState(1)
    theano.gradient.verify_grad(along, list(values), rng=rng, mode=plain)
    forward = theano.Rop(cost(*vs), vs, [T.constant(d) for d in directions])
    one, two = theano.function(vs, [forward, along(*vs)])(*values)
    np.testing.assert_allclose(one, two, rtol=1e-7, atol=1e-7)


def calls(function: Any) -> list[str]:
    """The library routines that a compiled function calls, in order, copies left out."""
    lines = theano.explain(function, code=False)["program"].splitlines()
    names = [line.split()[1] for line in lines if line.strip().startswith("call ")]
    return [name for name in names if name != "copy"]
