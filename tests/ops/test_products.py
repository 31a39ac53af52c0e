"""Products of vectors, matrices and batches of them, over ranks, dtypes and layouts."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, contractions, inputs_for, normal, reference
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.batching.face import vectorize
from theano.core.errors import ShapeError
from theano.gradient import verify_grad
from theano.ops.batched import BatchedDot, BatchedGemm, Matmul
from theano.tensor import blas

DTYPES = ("bool", "int8", "uint8", "int32", "int64", "float16", "float32", "float64")
TOLERANCE = {"float16": 1e-2, "float32": 1e-5}


def made(shape, dtype, seed=0):
    """Numbers of a dtype, large enough for small integers to wrap around in products."""
    values = np.random.default_rng(seed).integers(-100, 100, shape)
    if dtype == "bool":
        return values > 30
    return (values / 16).astype(dtype) if dtype.startswith("float") else values.astype(dtype)


def ones_pattern(*values):
    """Each array's dimensions of size 1 stretch."""
    return [tuple(n == 1 for n in v.shape) for v in values]


def plan(function):
    """What a compiled function does, in one line."""
    lines = str(theano.explain(function, code=False)["memory plan"]).splitlines()
    return next(line for line in lines if "kernels;" in line)


def compiled(build, *values, patterns=None):
    variables = inputs_for(values, patterns)
    return theano.function(variables, build(*variables))


def native(build, *values, patterns=None):
    """The value of the compiled function, which must not go through Python."""
    function = compiled(build, *values, patterns=patterns)
    assert "Python steps: none" in plan(function)
    return function(*values)


def agree(found, expected, dtype):
    assert found.dtype == expected.dtype
    tolerance = TOLERANCE.get(dtype, 1e-10)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * 10)


@st.composite
def factors(draw):
    """Shapes that numpy.matmul takes, and a dtype."""
    m, k, n = (draw(st.integers(0, 4)) for _ in range(3))
    batch = draw(st.lists(st.integers(1, 3), max_size=4))
    left = [draw(st.sampled_from([1, size])) for size in batch][draw(st.integers(0, len(batch))) :]
    right = [draw(st.sampled_from([1, size])) for size in batch][draw(st.integers(0, len(batch))) :]
    a = (k,) if not left and draw(st.booleans()) else (*left, m, k)
    b = (k,) if not right and draw(st.booleans()) else (*right, k, n)
    return a, b, draw(st.sampled_from(DTYPES))


@given(factors())
@settings(max_examples=40)
def test_matmul_is_that_of_numpy(drawn):
    left, right, dtype = drawn
    a, b = made(left, dtype), made(right, dtype, 1)
    patterns = ones_pattern(a, b)
    found = native(lambda a, b: a @ b, a, b, patterns=patterns)
    agree(found, np.asarray(np.matmul(a, b)), dtype)
    agree(reference(T.matmul, a, b, patterns=patterns), np.asarray(np.matmul(a, b)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("left", "right"), [
    ((5,), (5,)), ((70, 130), (130, 40)), ((3, 200), (200,)), ((9,), (9, 33)),
    ((2, 3, 4), (2, 4, 5)), ((2, 3, 4), (4,)), ((0, 3), (3, 2)), ((2, 0), (0, 3)),
])  # fmt: skip
def test_dtypes_without_blas_are_native_and_wrap_around(left, right, dtype):
    a, b = made(left, dtype), made(right, dtype, 1)
    agree(native(T.matmul, a, b), np.asarray(np.matmul(a, b)), dtype)
    if len(left) < 3:
        agree(native(T.dot, a, b), np.asarray(np.dot(a, b)), dtype)


def test_dtypes_promote():
    a, b = made((2, 3, 4), "int8"), made((2, 4, 2), "uint8")
    agree(native(T.matmul, a, b), np.matmul(a, b), "int16")
    agree(native(T.matmul, a, b.astype("float32")), np.matmul(a, b.astype("float32")), "float32")
    z = made((2, 4, 2), "float64") * 1j
    agree(both(T.matmul, a, z), np.matmul(a, z), "complex128")
    agree(both(T.dot, z[0], a[0, 0, :2]), np.dot(z[0], a[0, 0, :2]), "complex128")


@pytest.mark.parametrize(("left", "right"), [
    ((2, 3, 4), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (4, 5)),
    ((4,), (2, 4, 5)), ((2, 3, 4), (4,)), ((2, 1, 2, 3), (3, 3, 2)),
    ((2, 2, 1, 2, 2), (2, 1, 2, 2)),
])  # fmt: skip
def test_gradients_of_matmul(left, right):
    a, b = normal(*left), normal(*right)
    patterns = ones_pattern(a, b)
    check_grad(T.matmul, a, b, patterns=patterns)
    both(lambda a, b: T.grad((a @ b).sum(), [a, b]), a, b, patterns=patterns)
    ones = [np.ones(left), np.ones(right)]
    found = both(
        lambda a, b, u, v: T.Rop(a @ b, [a, b], [u, v]), a, b, *ones, patterns=patterns * 2
    )
    np.testing.assert_allclose(found, np.matmul(ones[0], b) + np.matmul(a, ones[1]))


def test_second_order():
    a, b = normal(2, 2, 3), normal(2, 3, 2)
    rng = np.random.RandomState(0)
    verify_grad(lambda a, b: T.grad((T.matmul(a, b) ** 3).sum(), [a, b])[0], [a, b], rng=rng)
    verify_grad(lambda a, b: T.grad((T.batched_dot(a, b) ** 3).sum(), [a, b])[1], [a, b], rng=rng)
    verify_grad(lambda a, b: T.grad((T.tensordot(a, b, [[1, 2], [2, 1]]) ** 3).sum(), a), [a, b],
                rng=rng)  # fmt: skip


def test_shapes_are_known_while_the_graph_is_built():
    x, y = T.TensorType("float64", shape=(None, 3, 4))(), T.TensorType("float64", shape=(7, 4, 5))()
    assert T.matmul(x, y).type.shape == (7, 3, 5)
    assert T.batched_dot(x, y).type.shape == (7, 3, 5)
    assert T.tensordot(x, y, [[2], [1]]).type.shape == (None, 3, 7, 5)
    assert T.matmul(T.TensorType("float64", shape=(6, 1, 2, 4))(), y).type.shape == (6, 7, 2, 5)
    assert T.outer(y[0, 0], x[0, 0]).type.shape == (5, 4)
    wrong = T.TensorType("float64", shape=(2, 6, 5))()
    for build in (T.matmul, T.batched_dot, lambda a, b: T.tensordot(a, b, [[2], [1]])):
        with pytest.raises(ShapeError, match=r"\(None, 3, 4\).*\(2, 6, 5\)|size 4.*size 6"):
            build(x, wrong)
    with pytest.raises(ShapeError, match="differ"):
        T.matmul(T.TensorType("float64", shape=(3, 3, 4))(), y)


def test_errors_at_run_time_have_both_shapes():
    x, y = T.tensor3s("xy")
    product = theano.function([x, y], T.matmul(x, y))
    with pytest.raises(ValueError, match=r"\(2, 3, 4\).*\(2, 5, 6\)"):
        product(np.zeros((2, 3, 4)), np.zeros((2, 5, 6)))
    with pytest.raises((TypeError, ValueError), match=r"\(2, 3, 4\).*\(7, 4, 6\)"):
        product(np.zeros((2, 3, 4)), np.zeros((7, 4, 6)))
    four = theano.function([w := T.tensor4(), y], T.matmul(w, y))
    with pytest.raises(ValueError, match=r"\(2, 3, 4, 5\).*\(1, 1, 5, 6\).*stretches"):
        four(np.zeros((2, 3, 4, 5)), np.zeros((1, 5, 6)))
    both_axes = theano.function([x, y], T.tensordot(x, y, 2))
    with pytest.raises(ValueError, match="tensordot"):
        both_axes(np.zeros((2, 3, 4)), np.zeros((4, 3, 2)))
    with pytest.raises(ValueError, match="scalar operands"):
        T.matmul(x, 2.0)
    with pytest.raises(TypeError, match="ndim of 2 or 3"):
        BatchedDot()(T.vector(), x)
    with pytest.raises(TypeError, match="2 or more"):
        Matmul()(T.vector(), x)


# layouts ------------------------------------------------------------------------------------------


def test_transposed_and_sliced_operands_are_not_copied():
    a, b = normal(6, 4, 3), normal(6, 5, 4)
    found = compiled(lambda a, b: T.batched_dot(a.dimshuffle(0, 2, 1), b.dimshuffle(0, 2, 1)), a, b)
    assert plan(found).startswith("0 kernels; library calls: batched_gemm;")
    np.testing.assert_allclose(found(a, b), a.transpose(0, 2, 1) @ b.transpose(0, 2, 1))
    found = compiled(lambda a, b: T.tensordot(a, b, [[0, 1], [0, 2]]), a, b)
    assert plan(found).startswith("0 kernels; library calls: gemm;")
    np.testing.assert_allclose(found(a, b), np.tensordot(a, b, [[0, 1], [0, 2]]), atol=1e-12)
    for build in (
        lambda a, b: a[::2, :, ::-1] @ b[::-2, :3, :],
        lambda a, b: a[1].T @ b.T[0:4, 0, :],
    ):
        np.testing.assert_allclose(both(build, a, b), build(a, b))


def test_arrays_of_any_layout_come_in():
    a, b = normal(3, 4, 2).transpose(2, 0, 1), normal(2, 8, 5)[:, ::2][:, ::-1]
    np.testing.assert_allclose(native(T.matmul, a, b), a @ b)
    small = (a * 10).astype("int16"), (b * 10).astype("int16")
    np.testing.assert_array_equal(native(T.batched_dot, *small), np.matmul(*small))


@given(contractions([2, 3, 4, 2], [3, 2, 5, 2]), st.sampled_from(["float64", "int32", "bool"]))
@settings(max_examples=25)
def test_tensordot_in_every_order(drawn, dtype):
    axes_a, axes_b, shape_a, shape_b = drawn
    a, b = made(shape_a, dtype), made(shape_b, dtype, 1)
    axes = [[i - len(shape_a) for i in axes_a], axes_b]
    found = native(lambda a, b: T.tensordot(a, b, axes), a, b)
    agree(found, np.asarray(np.tensordot(a, b, axes)), dtype)


@pytest.mark.parametrize(
    "axes", [0, 1, 2, (0, 1), [0, -1], [[0], [1]], [(0, 1), (1, 0)], np.array([1, 0])]
)
def test_forms_of_axes(axes):
    a, b = normal(3, 3), normal(3, 3)
    np.testing.assert_allclose(both(lambda a, b: T.tensordot(a, b, axes), a, b),
                               np.tensordot(a, b, axes))  # fmt: skip


@given(contractions([5, 2, 3, 4], [5, 3, 2, 2], first=1))
@settings(max_examples=15)
def test_batched_tensordot(drawn):
    axes_a, axes_b, shape_a, shape_b = drawn
    a, b = normal(*shape_a), normal(*shape_b)
    found = both(lambda a, b: T.batched_tensordot(a, b, [axes_a, axes_b]), a, b)
    less = [[i - 1 for i in axes] for axes in (axes_a, axes_b)]
    expected = np.stack([np.tensordot(x, y, less) for x, y in zip(a, b, strict=True)])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_outer():
    for dtype in DTYPES:
        a, b = made((2, 3), dtype), made((4,), dtype, 1)
        agree(native(T.outer, a, b), np.outer(a, b), dtype)
    check_grad(T.outer, normal(3), normal(2))


def test_inner_vdot_matvec_and_vecmat():
    a, b, v = normal(2, 3, 4), normal(5, 4), normal(2, 4)
    np.testing.assert_allclose(both(T.inner, a, b), np.inner(a, b))
    np.testing.assert_allclose(both(T.inner, b, np.float64(2)), b * 2)
    z = b + 1j * np.flip(b)
    np.testing.assert_allclose(both(T.vdot, z, b), np.vdot(z, b))
    np.testing.assert_allclose(both(T.matvec, a, v), np.einsum("bij,bj->bi", a, v))
    np.testing.assert_allclose(both(T.matvec, b, v[0]), b @ v[0])
    np.testing.assert_allclose(both(T.vecmat, v, a.swapaxes(1, 2)), np.einsum("bj,bij->bi", v, a))
    np.testing.assert_allclose(both(T.vecmat, z[0], b.T), z[0].conj() @ b.T)
    check_grad(T.matvec, a, v)
    x = T.dmatrix("x")
    np.testing.assert_allclose(np.inner(x, x).eval({x: b}), np.inner(b, b))
    with pytest.raises(TypeError, match="matrices and vectors"):
        T.matvec(T.vector(), T.vector())


@pytest.mark.parametrize("build", [
    lambda x, m: T.matmul(x * m, m.dimshuffle(0, 2, 1)), lambda x, m: T.matmul(m, x),
    lambda x, m: T.batched_dot(m * x, m[:, :3]),
    lambda x, m: T.tensordot(m, m * x, [[0, 2], [0, 2]]),
    lambda x, m: T.einsum("bij,j,bkj->ik", m, x, m),
])  # fmt: skip
def test_vectorised_over_examples(build):
    x, m = T.dmatrix("x"), T.as_tensor_variable(normal(3, 4, 3))
    one = T.dvector("one")
    rows = normal(5, 3)
    single = theano.function([one], build(one, m))
    several = theano.function([x], vectorize(lambda row: build(row, m))(x))
    np.testing.assert_allclose(several(rows), [single(row) for row in rows])
    assert "Python steps: none" in plan(several)


# calls --------------------------------------------------------------------------------------------


def test_sums_and_scalings_of_batches_are_one_call():
    w = theano.shared(normal(4, 3, 5))
    x, y = T.tensor3s("xy")
    a, b = normal(4, 3, 2), normal(4, 2, 5)
    start = w.get_value()
    step = theano.function([x, y], [], updates=[(w, w - 0.5 * T.batched_dot(x, y))])
    assert plan(step) == "0 kernels; library calls: batched_gemm; Python steps: none"
    step(a, b)
    np.testing.assert_allclose(w.get_value(), start - 0.5 * (a @ b))
    twice = theano.function([x, y], T.batched_dot(x, y) + 2 * T.matmul(x * 2, y[:, ::-1]))
    np.testing.assert_allclose(twice(a, b), a @ b + 4 * (a @ b[:, ::-1]))
    assert "batched_gemm, batched_gemm" in plan(twice)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batched_gemm(dtype):
    op = BatchedGemm()
    c, a, b = (
        v.astype(dtype) for v in (normal(2, 3, 4, 5), normal(2, 1, 4, 6), normal(1, 3, 6, 5))
    )
    p, q = np.asarray(2, dtype), np.asarray(0.5, dtype)
    patterns = [None, (), (False, True, False, False), (True, False, False, False), ()]
    found = native(op, c, p, a, b, q, patterns=patterns)
    np.testing.assert_allclose(found, q * c + p * np.matmul(a, b), rtol=1e-4, atol=1e-4)
    if dtype == "float64":
        check_grad(op, c[..., :2], p, a[..., :2], b[..., :2, :2], q, patterns=patterns)
    with pytest.raises(TypeError, match="one rank"):
        op(T.tensor3(), 1.0, T.matrix(), T.tensor3(), 1.0)
    with pytest.raises(ValueError, match="C has shape"):
        reference(
            lambda c, a, b: op(c, 1.0, a, b, 1.0), normal(2, 3, 3), normal(2, 3, 4), normal(2, 4, 5)
        )


def test_transposes_and_parts_go_to_the_factors():
    x, y = T.tensor3s("xy")
    a, b = normal(3, 4, 2), normal(3, 2, 5)
    turned = theano.function([x, y], T.batched_dot(x, y).dimshuffle(0, 2, 1))
    np.testing.assert_allclose(turned(a, b), (a @ b).transpose(0, 2, 1))
    assert plan(turned).startswith("0 kernels; library calls: batched_gemm;")
    one = theano.function([x, y], T.batched_dot(x, y)[1])
    np.testing.assert_allclose(one(a, b), a[1] @ b[1])
    assert "calls: gemm;" in plan(one)
    some = theano.function([x, y], T.batched_dot(x, y)[1:])
    np.testing.assert_allclose(some(a, b), (a @ b)[1:])


def test_many_batches():
    rng = np.random.default_rng(0)
    for shape in [(40, 2, 2), (9, 40, 40), (3, 300, 40)]:
        a, b = rng.normal(size=shape), rng.normal(size=(shape[0], shape[2], 30))
        np.testing.assert_allclose(native(T.batched_dot, a, b), a @ b, atol=1e-10)


# old names ----------------------------------------------------------------------------------------


def test_names_of_blas():
    c, a, b, v, w = normal(2, 4), normal(2, 3), normal(3, 4), normal(3), normal(2)
    for gemm in (blas.gemm, blas.gemm_inplace, blas.gemm_no_inplace, blas.Gemm(inplace=True)):
        found = both(lambda c, a, b, gemm=gemm: gemm(c, 2.0, a, b, 0.5), c, a, b)
        np.testing.assert_allclose(found, 0.5 * c + 2 * a @ b)
    for gemv in (blas.gemv_inplace, blas.gemv_no_inplace):
        found = both(lambda w, a, v, gemv=gemv: gemv(w, 2.0, a, v, 0.5), w, a, v)
        np.testing.assert_allclose(found, 0.5 * w + 2 * a @ v)
    found = both(lambda a, w, v: blas.ger(a, 3.0, w, v), a, w, v)
    np.testing.assert_allclose(found, a + 3 * np.outer(w, v))
    np.testing.assert_allclose(both(blas._dot22, a, b), a @ b)
    np.testing.assert_allclose(both(lambda a, b: blas._dot22scalar(a, b, 2.0), a, b), 2 * a @ b)
    assert blas.Gemv() == blas.gemv
    assert blas.batched_dot is T.batched_dot
    with pytest.raises(TypeError, match="ranks"):
        blas._dot22(T.vector(), T.matrix())
    with pytest.raises(TypeError, match="one dtype"):
        blas._dot22(T.imatrix(), T.imatrix())
    with pytest.raises(ShapeError, match="cannot add"):
        blas.ger(T.zeros((2, 3)), 1.0, T.zeros(2), T.zeros(2))
