"""Graphs of every kind, lowered fused and unfused, with and without reuse of memory."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from lower_checks import check

import theano
import theano.tensor as T
from theano.graph.tensor_type import TensorType
from theano.lower import program as pg
from theano.ops.dot import Gemm


def variables(*arrays: Any, stretch: bool = True) -> list[Any]:
    """An input per array; dimensions of extent 1 are broadcastable if ``stretch``."""
    return [
        TensorType(a.dtype.name, [stretch and n == 1 for n in a.shape])(f"v{i}")
        for i, a in enumerate(map(np.asarray, arrays))
    ]


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape) + 1).normal(size=shape)


def launches(program: pg.Program) -> int:
    return sum(isinstance(step, pg.Launch) for step in program.steps)


def run(build: Any, *arrays: Any, **how: Any) -> pg.Program:
    """Check ``build(*variables)``; the fused program."""
    values = [np.asarray(a) for a in arrays]
    inputs = variables(*values)
    made = build(*inputs)
    outputs = list(made) if isinstance(made, (list, tuple)) else [made]
    return check(inputs, outputs, values, calls=1, **how)[0]  # type: ignore[no-any-return]


# elementwise ----------------------------------------------------------------------------------


def test_a_chain_with_rows_columns_and_numbers_is_one_kernel():
    x, row, column, number = normal(4, 3), normal(1, 3), normal(4, 1), normal()
    program = run(lambda *v: T.tanh(v[0] * v[1] + v[2]) - v[3] * v[0], x, row, column, number)
    assert launches(program) == 1


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_transposed_consumers(order):
    x = normal(2, 3, 4)
    run(lambda v: [T.exp(v).dimshuffle(*order) * 2, T.exp(v), v.dimshuffle(*order)], x)
    run(lambda v: T.tanh(v) + T.tanh(v.dimshuffle(order)), normal(3, 3, 3))
    run(lambda v: (T.tanh(v) + 1).dimshuffle("x", *order).sum(axis=1), x)


def test_several_outputs_over_one_domain():
    program = run(lambda x, y: [x + y, x * y, T.tanh(x), x.T - 1], normal(3, 4), normal(3, 4))
    assert launches(program) == 1


def test_results_that_are_inputs_views_constants_or_twice_the_same():
    def build(x, n):
        y = T.tanh(x)
        return [x, x, x.T, x[1:], y, y, y.T, y[0], T.constant(normal(2, 2)), n, n + 1, n + 1]

    run(build, normal(3, 4), normal())


def test_arithmetic_on_numbers_needs_no_kernel():
    def build(a, b):
        return [
            T.tanh(a) * b + 2,
            T.cast(a, "int32") // 2,
            T.switch(a < b, a, b),
            a.dimshuffle("x"),
        ]

    assert launches(run(build, normal(), np.float64(2.5))) <= 1


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (0,), (1,), (0, 0)])
def test_empty_and_single_element_arrays(shape):
    x = normal(*shape)
    run(lambda v: [T.tanh(v) * 2, v.sum(), v.sum(axis=0), (v + 1).T, v - v.mean(axis=-1,
        keepdims=True), v.reshape((-1,), ndim=1), T.concatenate([v, v])], x)  # fmt: skip


def test_dtypes_meet_in_one_kernel():
    values = np.arange(3, dtype="int8"), np.ones(3, "float32"), np.array([True, False, True])
    run(
        lambda i, f, b: [i + f, T.switch(b, i, 2 * i), T.cast(f, "float16") + i, i // 2, i % 3],
        *values,
    )


# reductions -----------------------------------------------------------------------------------

RANKS = [
    (rank, axes) for rank in (1, 2, 3, 4)
    for n in range(1, rank + 1) for axes in itertools.combinations(range(rank), n)
]  # fmt: skip


@pytest.mark.parametrize(("rank", "axes"), RANKS)
def test_reductions_over_any_axes(rank, axes):
    x = normal(*(2, 3, 4, 2)[:rank])

    def build(v):
        kept = v.max(axis=axes, keepdims=True)
        return [
            T.tanh(v).sum(axis=axes),
            v - kept,
            T.sqr(v - kept).mean(axis=axes),
            v.prod(axis=axes),
        ]

    run(build, x)


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_argmax_and_all_any(axis):
    x = np.random.default_rng(1).integers(0, 3, (3, 4, 2))
    run(lambda v: [T.argmax(v, axis=axis), T.argmin(v, axis=axis), T.all(v > 0, axis=axis),
                   T.any(v > 1, axis=axis), *T.max_and_argmax(v, axis=axis)], x)  # fmt: skip


def test_rows_that_are_reduced_and_mapped_are_one_kernel():
    def layer_norm(x, g, b):
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / T.sqrt(T.sqr(centred).mean(axis=1, keepdims=True) + 1e-5) * g + b

    assert launches(run(layer_norm, normal(4, 6), normal(6), normal(6), rewrite=True)) == 1
    for f in (T.nnet.softmax, T.nnet.logsoftmax):
        assert launches(run(f, normal(4, 6), rewrite=True)) == 1


def test_the_images_of_a_channel_that_are_reduced_and_mapped_are_one_kernel():
    def normalised(x, scale, g):
        out = T.nnet.bn.batch_normalization_train(x, scale, T.zeros_like(scale), "spatial")[0]
        return [out, *T.grad(None, [x, scale], known_grads={out: g})]

    x, scale, g = normal(3, 4, 5, 6), normal(4), normal(3, 4, 5, 6)
    assert launches(run(normalised, x, scale, g, rewrite=True)) == 1
    # One axis behind the channels may be short: it is read once more instead.
    centred = run(lambda v: v - v.mean(axis=(0, 2), keepdims=True), normal(3, 4, 2))
    assert launches(centred) == 2


def test_reductions_in_a_row_along_other_axes():
    x = normal(3, 4, 2)
    run(lambda v: T.var(v, axis=0) + v.sum(axis=2).max(axis=1).sum(), x)
    run(lambda v: v - T.log(T.exp(v - v.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)), x)
    run(lambda v: (v / T.sqrt(T.sqr(v).sum())).sum(axis=0), x)
    run(lambda v: [v.sum(axis=0), v.sum(axis=1), v.sum(), (v * v).sum()], x)
    run(lambda v: v.T - (v.T * 2).sum(axis=0), normal(3, 3))


def test_a_reduction_of_one_element_is_converted():
    run(lambda v: [v.sum(axis=0), v.sum(), T.mean(v)], np.ones((1, 3), "int32"))
    run(lambda v: v.sum(axis=1) * 2, np.ones((3, 1), "int8"))


# indexing, joining, making ------------------------------------------------------------------------


def test_gathers():
    x, i = normal(5, 4), np.array([0, -1, 3, 3])
    run(
        lambda v, k: [T.tanh(v[k]) + 1, T.tanh(v)[k], v[k, T.arange(4)], v[T.arange(4), k].sum()],
        x,
        i,
    )


def test_rows_of_a_transposed_temporary():
    run(lambda v, i: T.tanh(v).T[i], normal(3, 4), np.array([0, 2]))
    run(lambda v, i: T.tanh(v).dimshuffle("x", 0, 1)[i], normal(3, 4), np.array([0, 0, -1]))


@pytest.mark.parametrize("change", [T.set_subtensor, T.inc_subtensor])
def test_writes_into_a_part(change):
    x, y, i = normal(5, 4), normal(3, 4), np.array([0, 2, 4])
    run(lambda v, w, k: change(v[1:4], w), x, y, i)
    run(lambda v, w, k: change(T.tanh(v)[::-2], w) * 2, x, y, i)
    run(
        lambda v, w, k: [change(v[:, 1], 0.5), change(v[k], w), change(v[k], 2.0), v.sum()], x, y, i
    )
    run(lambda v, w, k: [change(T.tanh(v)[:], w[0]), change(T.tanh(v)[-1, 1:], w[1, 1:])], x, y, i)


def test_a_row_named_twice():
    x, y, i = normal(4, 2), normal(3, 2), np.array([1, 1, -3])
    run(lambda v, w, k: T.inc_subtensor(T.tanh(v)[k], w), x, y, i)
    same = np.broadcast_to(y[:1], y.shape)
    run(lambda v, w, k: T.set_subtensor(v[k], w), x, same, i)


def test_a_temporary_read_elsewhere_is_not_written_over():
    def build(v, w):
        t = T.tanh(v)
        return [T.set_subtensor(t[:2], w), t.sum(), T.inc_subtensor(t[0], t[1]), t.T[0]]

    run(build, normal(4, 3), normal(2, 3))


def test_join_split_reshape_and_makers():
    def build(x, y):
        first, second = T.split(T.tanh(x), [1, 3], 2, axis=0)
        n = x.shape[0]
        return [
            T.concatenate([x, T.exp(y)], axis=0), T.concatenate([x, x.T[:, :3].T[:4]], axis=1),
            first + 1, second * 2, x.T.reshape((-1, 2)), T.tanh(x).T.flatten() + 1,
            T.stack([x[0], y[0]]), T.alloc(x[0], n, 3), T.arange(n) * 2, T.eye(n, 3) + x,
            T.zeros_like(x) + 1, T.alloc(0.0, 2, n), T.diag(T.diag(x[:3])),
        ]  # fmt: skip

    run(build, normal(4, 3), normal(2, 3))


def test_a_number_spread_over_an_array_is_an_array_where_one_is_needed():
    def build(v, x):
        a = T.alloc(v, 3)
        return [a, T.dot(T.tanh(a), x), T.set_subtensor(a[0], 1.0), T.tanh(a) * x]

    run(build, normal(), normal(3))


def test_extents_computed_from_data():
    def build(n, x):
        return [T.arange(n) + x[0], T.alloc(x[0], n, 2) * 2, T.zeros((n, n)) + 1, x[:n].sum()]

    run(build, np.int64(3), normal(4))
    run(lambda k: T.tanh(T.alloc(1.0, k.sum())) * 2, np.array([1, 2]))


# products -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("a", "b"), [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((0, 3), (3, 4)),
    ((2, 0), (0, 4)), ((1, 1), (1, 1)), ((2, 3, 4), (4, 5)), ((), (3,)),
])  # fmt: skip
def test_products(a, b):
    run(lambda x, y: [T.dot(x, y), T.dot(T.tanh(x), y) + 1], normal(*a), normal(*b))
    run(lambda x, y: T.dot(y.T, x.T), normal(*a), normal(*b))


def test_gemm_takes_over_a_temporary_only():
    def build(c, a, b):
        t = T.tanh(c)
        return [Gemm()(t, 0.5, a, b, 2.0), Gemm()(c, 1.0, a, b, 0.0), t.sum()]

    arrays = normal(2, 3), normal(2, 4), normal(4, 3)
    run(build, *arrays)
    run(lambda c, a, b: Gemm()(T.tanh(c), 0.5, a, b, 2.0), *arrays)


# shared variables ---------------------------------------------------------------------------------


def shared(*shape: int, name: str = "s") -> Any:
    return theano.shared(normal(*shape), name)


def inplace(program: pg.Program) -> int:
    return sum(r.inplace for r in program.results)


def test_an_update_is_made_in_place():
    s, x = shared(3, 4), T.dmatrix()
    programs = check([x], [(s * x).sum()], [normal(3, 4)], [(s, s - 0.1 * s)])
    assert inplace(programs[0]) == 1
    assert inplace(programs[1]) == 0  # donate=False


def test_old_values_are_read_before_they_are_overwritten():
    s, r = shared(3, 3), shared(3, 3, name="r")
    check([], [s, s.T, s[1:], s.sum()], [], [(s, T.tanh(s) + 1)])
    check([], [], [], [(s, s + 1), (r, s.T)])
    check([], [], [], [(s, s + 1), (r, s)])
    check([], [], [], [(s, s + 1), (r, r + s.T)])
    check([], [], [], [(s, r * 2), (r, s + r)])
    check([], [], [], [(s, Gemm()(s, 1.0, r, r, 1.0)), (r, r + s)])
    check([], [], [], [(s, T.inc_subtensor(s[:2], r[1:])), (r, T.set_subtensor(r[0], s[0]))])


def test_swaps_transposes_and_updates_that_are_outputs():
    s, r = shared(3, 3), shared(3, 3, name="r")
    check([], [], [], [(s, r), (r, s)])
    check([], [], [], [(s, r.T), (r, s.T)])
    new = T.tanh(s)
    check([], [new, new.T], [], [(s, new), (r, new)])
    check([], [s], [], [(s, s.T)])
    check([], [], [], [(s, s.T + 1), (r, s[::-1])])


def test_another_result_of_the_kernel_of_an_update_seen_through_a_transpose():
    s, x = shared(3, 4), T.dmatrix()
    t = T.tanh(x * s)
    check([x], [t.T, t.T[0], (t + s).T], [normal(3, 4)], [(s, s - t)])


def test_updates_that_change_the_shape():
    s = shared(3)
    check([], [s.sum()], [], [(s, T.concatenate([s, s]))], calls=3)
    check([], [], [], [(s, s[1:] * 2)], calls=3)


def test_numbers_in_shared_variables():
    n, s = theano.shared(np.float64(2), "n"), shared(3)
    check([], [n * s], [], [(n, n + 1), (s, s * n)], calls=3)


# what cannot be done ------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [
    lambda x, y: T.tanh(x) + y, lambda x, y: [T.exp(x).sum(), x * y],
    lambda x, y: [T.nnet.softmax(x), T.nnet.softmax(x) * y], lambda x, y: T.dot(x, y),
    lambda x, y: T.concatenate([x, y], axis=1), lambda x, y: T.inc_subtensor(x[:2], y),
    lambda x, y: x.reshape((5, 5)), lambda x, y: T.split(x, [1, 1], 2, axis=0),
    lambda x, y: x[:, 7], lambda x, y: T.tanh(x)[T.constant(np.array([0, 9])) + 0],
    lambda x, y: (x[:0] + y[:0]).max(axis=0),
])  # fmt: skip
def test_what_does_not_fit_fails_as_the_reference_does(build):
    x, y = variables(normal(3, 4), normal(4, 5))
    found = build(x, y)
    outputs = found if isinstance(found, list) else [found]
    s = theano.shared(normal(3), "s")
    t = theano.shared(normal(3, 3), "t")
    check([x, y], outputs, [normal(3, 4), normal(4, 5)], [(s, s * 2), (t, t + 1)])


def test_an_unfused_kernel_checks_before_it_reads():
    """Both operands' extents are equal only if a later node's check holds."""
    x, y = T.dmatrix(), T.dmatrix()
    values = [normal(3, 4), normal(3, 5)]
    check([x, y], [T.tanh(x), T.tanh(y), T.tanh(x) + T.tanh(y)], values)
    check(
        [x, y], [T.nnet.softmax(x).sum(axis=0), T.tanh(y).sum(axis=1) + 0 * (x + y).sum()], values
    )


def test_a_second_update_that_fails_leaves_the_first_undone():
    s, r = shared(4), shared(4, name="r")
    i, y = T.lvector(), T.dvector()
    updates = [(s, T.inc_subtensor(s[:2], y)), (r, T.inc_subtensor(r[i], y))]
    check([i, y], [], [np.array([0, 9]), normal(2)], updates)
    check([i, y], [], [np.array([0, 1, 2]), normal(3)], updates)
    check([i, y], [], [np.array([0, 1]), normal(2)], updates)


def test_integer_division_by_zero_is_what_the_reference_says():
    i, s = T.ivector(), theano.shared(np.arange(3, dtype="int32"), "s")
    check([i], [], [np.array([1, 2, 4], "int32")], [(s, s // i)])
