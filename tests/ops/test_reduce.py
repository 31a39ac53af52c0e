"""Reductions: dtypes, axes, values against NumPy, gradients, and what is refused."""

from __future__ import annotations

import pickle

import cases
import numpy as np
import pytest

import theano
import theano.ops.reduce as R
import theano.tensor as T
from theano.autodiff.reverse import grad
from theano.core.config import change_flags
from theano.graph.tensor_type import TensorType
from theano.ops.elementwise import exp

AXES = (None, 0, 1, -1, (0, 2), [1], (0, 1, 2), np.int64(1))
NUMPY = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "var": np.var, "std": np.std,
         "max": np.max, "min": np.min, "any": np.any, "all": np.all}  # fmt: skip
DTYPES = ("bool", "int8", "uint16", "int32", "uint64", "float16", "float32", "float64")


def variable(dtype: str = "float64", ndim: int = 3, name: str = "x"):
    return TensorType(dtype, (False,) * ndim)(name)


def run(x, y, value):
    (got,) = cases.everywhere([x], [y], [value])
    assert got.dtype == y.dtype
    assert got.ndim == y.ndim
    return got


def data(dtype: str, shape: tuple[int, ...] = (2, 3, 4), seed: int = 3):
    return cases.sample(np.random.default_rng(seed), (-2.0, 3.0), dtype, shape)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", NUMPY)
def test_value_is_numpys(name, keepdims, axis):
    x, a = variable(), data("float64")
    y = getattr(R, name)(x, axis=axis, keepdims=keepdims)
    np_axis = tuple(axis) if isinstance(axis, list) else axis
    expected = NUMPY[name](a, axis=np_axis, keepdims=keepdims)
    np.testing.assert_allclose(run(x, y, a), expected, rtol=1e-12)
    if keepdims:
        assert y.broadcastable == tuple(s == 1 for s in expected.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NUMPY)
def test_value_in_every_dtype(name, dtype):
    x, a = variable(dtype, 2), data(dtype, (3, 4))
    y = getattr(R, name)(x, axis=0)
    expected = NUMPY[name](a.astype("float64"), axis=0).astype(y.dtype)
    np.testing.assert_allclose(run(x, y, a), expected, rtol=cases.TOLERANCE.get(y.dtype, 0) * 5)


@pytest.mark.parametrize(
    ("name", "given", "result", "acc"),
    [
        ("sum", "bool", "int64", "int64"), ("sum", "int8", "int64", "int64"),
        ("sum", "uint8", "uint64", "uint64"), ("sum", "float16", "float16", "float32"),
        ("sum", "float32", "float32", "float64"), ("sum", "complex64", "complex64", "complex128"),
        ("prod", "int32", "int64", "int64"), ("prod", "float32", "float32", "float64"),
        ("max", "int8", "int8", "int8"), ("any", "float32", "bool", "bool"),
        ("argmax", "float32", "int64", "float32"), ("max", "float16", "float16", "float32"),
    ],
)  # fmt: skip
def test_dtypes_of_result_and_accumulator(name, given, result, acc):
    node = getattr(R, name)(variable(given)).owner
    assert node.outputs[0].dtype == result
    assert node.op.acc_dtype == acc


def test_dtypes_of_means():
    expected = {"int32": "float64", "bool": "float64", "float16": "float16", "float32": "float32"}
    for given, result in expected.items():
        assert R.mean(variable(given)).dtype == result
    with change_flags(floatX="float32"):
        assert R.mean(variable("int8")).dtype == "float64"
    assert R.mean(variable("int8"), dtype="float32").dtype == "float32"


def test_explicit_dtypes():
    x = variable("float32")
    node = R.sum(x, dtype="float64", acc_dtype="float32").owner
    assert (node.outputs[0].dtype, node.op.acc_dtype) == ("float64", "float32")
    assert R.sum(variable("int32"), acc_dtype="float32").owner.op.acc_dtype == "float32"
    with pytest.raises(TypeError, match="precision would be lost"):
        R.sum(variable("float64"), acc_dtype="float32")


def test_float32_sums_are_carried_in_float64():
    a = np.array([1e8, 1.0, -1e8] * 100, "float32")
    x = variable("float32", 1)
    assert run(x, R.sum(x), a) == 100.0


def test_names_print_as_theano_prints_them():
    x = variable("float32", 2)
    assert str(R.sum(x, axis=0).owner.op) == "Sum{axis=[0], acc_dtype=float64}"
    assert str(R.sum(x).owner.op) == "Sum{acc_dtype=float64}"
    assert R.sum(x, axis=-1).owner.op == R.sum(x, axis=1).owner.op
    assert R.sum(x, axis=[1, 0]).owner.op == R.sum(x).owner.op
    assert pickle.loads(pickle.dumps(R.sum(x).owner.op)) == R.sum(x).owner.op
    assert R.mean(x).name == "mean"


def test_an_empty_list_of_axes_reduces_nothing():
    x, a = variable("int8", 2), data("int8", (2, 3))
    assert R.sum(x, axis=[]).dtype == "int64"
    np.testing.assert_array_equal(run(x, R.sum(x, axis=[]), a), a)
    np.testing.assert_array_equal(run(x, R.max(x, axis=()), a), a)
    np.testing.assert_array_equal(run(x, R.any(x, axis=[]), a), a != 0)
    np.testing.assert_array_equal(run(x, R.mean(x, axis=[]), a), a)


@pytest.mark.parametrize("axis", [3, -4, (0, 5)])
def test_axes_that_do_not_exist(axis):
    with pytest.raises(ValueError, match="Not enough dimensions"):
        R.sum(variable(), axis=axis)


def test_axes_that_are_no_axes():
    with pytest.raises(TypeError, match="axis"):
        R.max(variable(), axis=1.5)
    with pytest.raises(ValueError, match="twice"):
        R.sum(variable(), axis=(0, -3))


def test_reductions_of_nothing():
    x, a = variable("float64", 2), np.ones((0, 3))
    assert run(x, R.sum(x), a) == 0
    assert run(x, R.prod(x), a) == 1
    assert run(x, R.all(x), a)
    assert not run(x, R.any(x), a)
    assert np.isnan(run(x, R.mean(x), a))
    np.testing.assert_array_equal(run(x, R.sum(x, axis=0), a), [0, 0, 0])
    assert run(x, R.max(x, axis=1), a).shape == (0,)
    for y in (R.max(x), R.argmax(x), R.min(x, axis=0)):
        with pytest.raises(ValueError, match=r"empty|zero-size"):
            run(x, y, a)


def test_nan_wins():
    x, a = variable("float64", 1), np.array([1.0, np.nan, 3.0, np.nan])
    assert np.isnan(run(x, R.max(x), a))
    assert np.isnan(run(x, R.min(x), a))
    assert run(x, R.argmax(x), a) == 1
    assert run(x, R.argmin(x), a) == 1


@pytest.mark.parametrize("axis", [None, 0, 2, (0, 1), (1, 2), (0, 2)])
def test_positions(axis):
    x, a = variable("int32"), data("int32")
    for name, find, best in (("argmax", np.argmax, np.max), ("argmin", np.argmin, np.min)):
        got = run(x, getattr(R, name)(x, axis=axis), a)
        axes = R.axes_of(axis, 3)
        kept = [i for i in range(3) if i not in axes]
        flat = a.transpose(*kept, *axes).reshape(*(a.shape[i] for i in kept), -1)
        np.testing.assert_array_equal(got, find(flat, axis=-1))
        np.testing.assert_array_equal(
            np.take_along_axis(flat, got[..., None], -1)[..., 0], best(a, axis=tuple(axes))
        )
    top, where = R.max_and_argmax(x, axis=axis)
    assert (top.dtype, where.dtype) == ("int32", "int64")
    values = cases.evaluate([x], [top, where, *top.owner.op.expand(top.owner)], [a])
    np.testing.assert_array_equal(values[0], values[2])
    np.testing.assert_array_equal(values[1], values[3])


def test_variance_with_freedom_and_correction():
    x, a = variable("float64", 2), data("float64", (5, 4))
    for axis in (None, 0, (0, 1)):
        for ddof in (0, 1):
            for corrected in (False, True):
                y = R.var(x, axis=axis, ddof=ddof, corrected=corrected)
                np.testing.assert_allclose(run(x, y, a), np.var(a, axis=axis, ddof=ddof))
    assert R.var(variable("float32"), ddof=1).dtype == "float32"
    for old in (R.var, R.std):
        with pytest.raises(ValueError, match="keepdims is now at index 3"):
            old(x, None, True)


def test_peak_to_peak():
    x, a = variable("float64", 2), data("float64", (3, 4))
    np.testing.assert_allclose(run(x, R.ptp(x, 1), a), np.ptp(a, 1))


# gradients ---------------------------------------------------------------------------------------


def numeric(f, a, step=1e-6):
    result = np.empty_like(a)
    for index in np.ndindex(a.shape):
        high, low = a.copy(), a.copy()
        high[index] += step
        low[index] -= step
        result[index] = (f(high) - f(low)) / (2 * step)
    return result


@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "var", "std", "max", "min"])
def test_gradient_is_the_difference_quotient(name, axis):
    x, a = variable("float64", 2), data("float64", (3, 4))
    cost = R.sum(exp(getattr(R, name)(x, axis=axis) * 0.1))
    expected = numeric(lambda v: np.exp(NUMPY[name](v, axis=axis) * 0.1).sum(), a)
    np.testing.assert_allclose(run(x, grad(cost, x), a), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_gradient_of_a_product_with_zeros(zeros):
    x, a = variable("float64", 2), data("float64", (2, 4))
    a[1, :zeros] = 0
    expected = numeric(lambda v: v.prod(axis=1).sum(), a)
    got = run(x, grad(R.sum(R.prod(x, axis=1)), x), a)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)
    safe = run(x, grad(R.sum(R.prod(x, axis=1, no_zeros_in_input=True)), x), np.abs(a) + 1)
    np.testing.assert_allclose(safe, numeric(lambda v: v.prod(axis=1).sum(), np.abs(a) + 1))


def test_product_without_zeros():
    x, a = variable("float64", 2), np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    y = R.ProdWithoutZeros((1,))(x)
    assert run(x, y, a).tolist() == [6.0, 1.0]
    assert run(x, grad(R.sum(y), x), a).tolist() == [[3.0, 0.0, 2.0], [0.0, 0.0, 0.0]]


def test_every_tied_maximum_gets_the_whole_gradient():
    x, a = variable("float64", 1), np.array([3.0, 1.0, 3.0])
    assert run(x, grad(R.max(x), x), a).tolist() == [1.0, 0.0, 1.0]
    assert run(x, grad(R.min(x), x), a).tolist() == [0.0, 1.0, 0.0]


def test_gradient_of_positions_is_zero():
    x = variable("float64", 1)
    y = R.argmax(x)
    (term,) = y.owner.op.L_op([x], [y], [variable("float64", 0, "g")])
    assert run(x, term, np.ones(3)).tolist() == [0.0, 0.0, 0.0]
    top, _ = R.max_and_argmax(x)
    assert run(x, grad(top, x), np.array([1.0, 2.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
def test_r_op_is_the_directional_derivative(name):
    x, v = variable("float64", 2), variable("float64", 2, "v")
    a, b = data("float64", (3, 4)), data("float64", (3, 4), seed=9)
    y = getattr(R, name)(x, axis=1)
    (along,) = y.owner.op.R_op([x], [v])
    (got,) = cases.evaluate([x, v], [along], [a, b])
    step = 1e-6
    high, low = (NUMPY[name](a + s * b, axis=1) for s in (step, -step))
    np.testing.assert_allclose(got, (high - low) / (2 * step), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8, 23])
def test_extremes_over_rows_with_nan_and_infinities(rows: int, dtype: str) -> None:
    x = T.TensorType(dtype, (False, False))("x")
    f = theano.function([x], [x.max(axis=0), x.min(axis=0), abs(x).max(axis=0) - x.min(axis=0)])
    rng = np.random.default_rng(rows)
    for columns in (1, 7, 32, 70):
        plain = rng.normal(size=(rows, columns)).astype(dtype)
        for strange in ([], [np.nan], [np.inf, -np.inf], [-np.inf], [np.nan, np.inf, -np.inf]):
            value = plain.copy()
            for number in strange:
                value[rng.integers(rows), rng.integers(columns)] = number
            with np.errstate(invalid="ignore"):
                low = value.min(axis=0)
                expected = value.max(axis=0), low, abs(value).max(axis=0) - low
            for a, b in zip(f(value), expected, strict=True):
                np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(f(np.full((9, 40), -np.inf, dtype))[0], np.full(40, -np.inf))
