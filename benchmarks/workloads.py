"""What the workers compute: each case once per peer, with its data and its NumPy reference.

`workloads_nn` holds those of neural networks, `cases` all of them together.
This file runs in every peer's own environment, so it needs NumPy and nothing else at import.
A case is compiled once and bound to fresh data in every round.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

Array = Any
# Arrays -> the call that is timed.
Bind = Callable[[Sequence[Array]], Callable[[], Any]]
Build = Callable[[], Bind]

SIDE = 4096
LENGTH = 1_000_000
# What --quick divides the sizes by.
SHRINK = 16


@dataclass(frozen=True)
class Case:
    """One computation: fresh inputs, the float64 reference, tolerances, a builder per peer."""

    inputs: Callable[[Any, int], list[Array]]
    reference: Callable[..., Array]
    build: Mapping[str, Build]
    rtol: float = 1e-4
    atol: float = 1e-4
    floatx: str = "float32"


def cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _matrix(rng: Any, shrink: int) -> list[Array]:
    side = SIDE // shrink
    return [rng.standard_normal((side, side), dtype=np.float32)]


def _three_vectors(rng: Any, shrink: int) -> list[Array]:
    return [rng.standard_normal(LENGTH // shrink) for _ in range(3)]


def of_theano(
    kinds: Sequence[str], expression: Callable[..., Any], *, unused: bool = False
) -> Build:
    """`expression(T, *variables)` as plain user code; ``unused``: it needs not all of them."""

    def build() -> Bind:
        theano: Any = import_module("theano")
        tensor: Any = import_module("theano.tensor")
        variables = [getattr(tensor, kind)() for kind in kinds]
        unneeded = "ignore" if unused else "raise"
        function = theano.function(
            variables, expression(tensor, *variables), on_unused_input=unneeded
        )
        return lambda arrays: lambda: function(*arrays)

    return build


def of_jax(expression: Callable[..., Any]) -> Build:
    """`expression(jax, *arrays)` under jit; a call ends when the result is there."""

    def build() -> Bind:
        jax: Any = import_module("jax")
        jax.config.update("jax_enable_x64", True)
        function = jax.jit(lambda *arrays: expression(jax, *arrays))

        def bind(arrays: Sequence[Array]) -> Callable[[], Any]:
            there = [jax.numpy.asarray(array) for array in arrays]
            return lambda: jax.block_until_ready(function(*there))

        return bind

    return build


def of_torch(expression: Callable[..., Any]) -> Build:
    """`expression(torch, *tensors)`, eager; the tensors share the arrays' memory."""

    def build() -> Bind:
        torch: Any = import_module("torch")
        torch.set_num_threads(cores())

        def bind(arrays: Sequence[Array]) -> Callable[[], Any]:
            there = [torch.from_numpy(array) for array in arrays]
            return lambda: expression(torch, *there)

        return bind

    return build


def of_numpy(expression: Callable[..., Any]) -> Build:
    """`expression(*arrays)`."""
    return lambda: lambda arrays: lambda: expression(*arrays)


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def _fused(x: Array, y: Array, z: Array) -> Array:
    return 1 / (1 + np.exp(-x)) * np.tanh(y) + np.exp(-(z**2))


def _copy() -> Bind:
    """memcpy on as many threads as there are cores: what the machine can move."""
    threads = cores()
    pool = ThreadPoolExecutor(threads)

    def bind(arrays: Sequence[Array]) -> Callable[[], Any]:
        source = arrays[0]
        target = np.zeros_like(source)
        target += 1  # the pages are there before the clock runs
        parts = list(
            zip(np.array_split(target, threads), np.array_split(source, threads), strict=True)
        )

        def copy() -> Array:
            if threads == 1:
                np.copyto(target, source)
            else:
                list(pool.map(lambda part: np.copyto(*part), parts))
            return target

        return copy

    return bind


def _sum(axis: int) -> Case:
    return Case(
        _matrix,
        lambda x: x.sum(axis),
        {
            "new": of_theano(["fmatrix"], lambda T, x: T.sum(x, axis=axis)),
            "jax": of_jax(lambda jax, x: x.sum(axis)),
            "torch": of_torch(lambda torch, x: x.sum(axis)),
            "numpy": of_numpy(lambda x: x.sum(axis)),
        },
        rtol=1e-3,
        atol=3e-2,
    )


CASES: Mapping[str, Case] = {
    "log_softmax": Case(
        _matrix,
        _log_softmax,
        {
            "new": of_theano(["fmatrix"], lambda T, x: T.nnet.logsoftmax(x)),
            "jax": of_jax(lambda jax, x: jax.nn.log_softmax(x, axis=1)),
            "torch": of_torch(lambda torch, x: torch.log_softmax(x, 1)),
            "numpy": of_numpy(_log_softmax),
        },
    ),
    "fused_float64": Case(
        _three_vectors,
        _fused,
        {
            "new": of_theano(
                ["dvector"] * 3,
                lambda T, x, y, z: T.nnet.sigmoid(x) * T.tanh(y) + T.exp(-(z**2)),
            ),
            "jax": of_jax(
                lambda jax, x, y, z: jax.nn.sigmoid(x) * jax.numpy.tanh(y) + jax.numpy.exp(-(z**2))
            ),
            "torch": of_torch(
                lambda torch, x, y, z: torch.sigmoid(x) * torch.tanh(y) + torch.exp(-(z**2))
            ),
            "numpy": of_numpy(_fused),
        },
        rtol=1e-12,
        atol=1e-13,
        floatx="float64",
    ),
    "sum_axis0": _sum(0),
    "sum_axis1": _sum(1),
    # Not a peer's work but the machine's limit; the peer that does it is called so.
    "copy": Case(_matrix, lambda x: x, {"numpy": _copy}, rtol=0.0, atol=0.0),
}


def bytes_of(case: str, *, shrink: int = 1) -> int:
    """Bytes that one call moves at least: the matrix read, and but for a sum as much written."""
    return (SIDE // shrink) ** 2 * 4 * (1 if case.startswith("sum") else 2)
