"""Programs of batched products: memory plans, in-place updates, more batch axes than calls have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lower_checks import check

import theano
import theano.tensor as T
from theano.graph.tensor_type import TensorType
from theano.lower import program as pg
from theano.ops.batched import BatchedGemm


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape) + 1).normal(size=shape)


def variables(*arrays: Any) -> list[Any]:
    return [
        TensorType(a.dtype.name, [n == 1 for n in a.shape])(f"v{i}")
        for i, a in enumerate(map(np.asarray, arrays))
    ]


def calls(program: pg.Program) -> list[str]:
    return [step.function for step in program.steps if isinstance(step, pg.Call)]


@pytest.mark.parametrize(("left", "right"), [
    ((2, 3, 4), (2, 4, 2)), ((1, 3, 4), (5, 4, 2)), ((2, 3, 3, 4), (3, 4, 2)),
    ((2, 3, 1, 3, 4), (2, 3, 5, 4, 2)), ((2, 1, 2, 3, 4), (1, 3, 2, 4, 2)),
    ((2, 1, 2, 1, 3, 4), (1, 3, 1, 2, 4, 2)), ((2, 0, 3), (2, 3, 4)), ((2, 3, 0), (2, 0, 4)),
])  # fmt: skip
@pytest.mark.parametrize("dtype", ["float64", "int16"])
def test_batches(left: Any, right: Any, dtype: str) -> None:
    a, b = (normal(*left) * 9).astype(dtype), (normal(*right) * 9).astype(dtype)
    inputs = variables(a, b)
    for rewrite in (False, True):
        programs = check(inputs, [T.matmul(*inputs)], [a, b], rewrite=rewrite)
        assert calls(programs[0]) == ["batched_gemm" if dtype == "float64" else "product"]


def test_views_of_operands() -> None:
    a, b = normal(4, 5, 6), normal(6, 3, 4)
    x, y = variables(a, b)
    out = T.matmul(x[::-1, 1:, ::2], y.dimshuffle(2, 0, 1)[:, ::2])
    programs = check([x, y], [out, T.batched_dot(x, y.dimshuffle(2, 0, 1)) + 1], [a, b])
    assert not any(isinstance(s, pg.Reshape) for s in programs[0].steps)


def test_batched_gemm_takes_over_a_temporary_only() -> None:
    c, a, b = normal(3, 2, 4), normal(3, 2, 5), normal(3, 5, 4)
    inputs = variables(c, a, b)
    x, y, z = inputs
    t = T.tanh(x)
    op = BatchedGemm()
    check(inputs, [op(t, 0.5, y, z, 2.0), op(x, 1.0, y, z, 0.0), t.sum()], [c, a, b])
    (program, *_) = check(inputs, [op(T.tanh(x), 0.5, y, z, 2.0)], [c, a, b])
    assert sum(isinstance(s, pg.Alloc) for s in program.steps) == 1


def test_many_matrices_times_one_are_one_product() -> None:
    a, b, c = normal(3, 2, 5), normal(5, 4), normal(3, 2, 4)
    x, w, z = variables(a, b, c)
    for out in (T.matmul(x, w), T.dot(x, w), T.tensordot(x, w, 1), T.einsum("abi,ic", x, w)):
        (program, *_) = check([x, w], [out], [a, b])
        assert calls(program) == ["gemm"]
        assert sum(isinstance(s, (pg.Alloc, pg.Launch)) for s in program.steps) == 1
    gradients = T.grad((T.matmul(x, w) * z).sum(), [x, w])
    (program, *_) = check([x, w, z], gradients, [a, b, c], rewrite=True)
    assert calls(program) == ["gemm", "gemm"]
    op = BatchedGemm()
    wide = w.dimshuffle("x", 0, 1)
    for out in (op(T.tanh(z), 0.5, x, wide, 2.0), op(z, 0.5, x, wide, 0.0)):
        (program, *_) = check([x, w, z], [out], [a, b, c])
        assert calls(program) == ["gemm"]
    turned = variables(normal(5, 2, 3))[0]
    (program, *_) = check([turned, w], [T.matmul(turned.T, w)], [normal(5, 2, 3), b])
    assert calls(program) == ["batched_gemm"]
    whole = (a * 9).astype("int8"), (b * 9).astype("int8")
    m, n = variables(*whole)
    (program, *_) = check([m, n], [T.matmul(m, n)], whole)
    assert calls(program) == ["product"]
    s = theano.shared(np.asfortranarray(c), "s")
    check([x, w], [], [a, b], [(s, op(s, 1.0, x, wide, 0.5))])


def test_updates_in_place() -> None:
    s, r = (theano.shared(normal(3, 4, 4), name) for name in "sr")
    op = BatchedGemm()
    programs = check([], [], [], [(s, op(s, 1.0, r, r, 0.5))])
    assert sum(result.inplace for result in programs[0].results) == 1
    for updates in (
        [(s, op(s, 1.0, s, r, 0.5))],
        [(s, op(s, 1.0, r, r, 1.0)), (r, r + s)],
        [(s, s + T.batched_dot(r, r)), (r, r - T.batched_dot(r, r))],
    ):
        check([], [s.sum()], [], updates, rewrite=True)


def test_more_axes_are_not_updated_in_place() -> None:
    s = theano.shared(normal(2, 2, 2, 3, 3), "s")
    programs = check([], [], [], [(s, BatchedGemm()(s, 1.0, s * 2, s + 1, 0.5))])
    assert not any(result.inplace for result in programs[0].results)
