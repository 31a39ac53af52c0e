"""Elementwise operations, comparisons, conversions, joins, sums and indexing against SciPy."""

import operator

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.sparse as S
import theano.tensor as T

FORMATS = ["csr", "csc"]
RELATIONS = {
    "eq": np.equal, "neq": np.not_equal, "lt": np.less, "gt": np.greater,
    "le": np.less_equal, "ge": np.greater_equal,
}  # fmt: skip


def random(rows, columns, format="csr", dtype="float64", density=0.4, seed=0):
    found = sp.random(rows, columns, density, format, random_state=seed)
    found.data -= 0.4
    return (10 * found).astype(dtype).asformat(format)


def run(make, *values):
    """``make`` of variables for the values, compiled and called with them."""
    variables = [
        S.matrix(v.format, dtype=v.dtype.name)
        if sp.issparse(v)
        else T.TensorType(v.dtype.name, shape=(None,) * v.ndim)()
        for v in values
    ]
    f = theano.function(variables, make(*variables))
    assert f.native is not None, f.maker.report.notes
    return f(*values)


def same(found, expected):
    found, expected = (v.toarray() if sp.issparse(v) else np.asarray(v) for v in (found, expected))
    assert found.shape == expected.shape
    assert np.allclose(found, expected, rtol=1e-5, equal_nan=True)


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul])
def test_sparse_with_sparse(op, first, second):
    x, y = random(4, 5, first), random(4, 5, second, seed=1)
    found = run(op, x, y)
    assert found.format == first
    same(found, op(x.toarray(), y.toarray()))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.mul])
def test_sparse_with_dense(op, format):
    x, y = random(4, 5, format), np.arange(20.0).reshape(4, 5)
    for found, expected in (
        (run(op, x, y), op(x.toarray(), y)),
        (run(lambda a, b: op(b, a), x, y), op(y, x.toarray())),
    ):
        assert sp.issparse(found) == (op is operator.mul)
        same(found, expected)


@pytest.mark.parametrize("format", FORMATS)
def test_with_scalars_and_vectors(format):
    x, v = random(4, 5, format), np.arange(5.0)
    same(run(lambda a: a * 2.5, x), 2.5 * x)
    same(run(lambda a: 3 * a, x), 3 * x)
    same(run(lambda a: a / 4, x), x / 4)
    same(run(lambda a: -a, x), -x)
    same(run(lambda a, s: a * s, x, np.array(1.5)), 1.5 * x)
    same(run(lambda a, b: a * b, x, v), x.toarray() * v)
    same(run(lambda a, b: S.mul_s_v(a, b), x, v), x.toarray() * v)
    same(run(lambda a, b: a + b, x, v), x.toarray() + v)
    added = run(S.structured_add_s_v, x, v)
    assert added.format == "csr"
    same(added, np.where(x.toarray() != 0, x.toarray() + v, 0))
    with pytest.raises(TypeError, match="fill"):
        S.csr_matrix() + 1
    with pytest.raises(TypeError, match="divi"):
        S.csr_matrix() / S.csr_matrix()
    with pytest.raises(TypeError, match="unsupported"):
        1 / S.csr_matrix()


def test_dtypes_promote():
    f, d, i = S.csr_fmatrix("f"), S.csc_dmatrix("d"), S.csr_matrix("i", "int8")
    assert (f + d).type == S.csr_dmatrix
    assert (d * f).type == S.csc_dmatrix
    assert (i + i).dtype == "int8"
    assert (f * T.dscalar()).dtype == "float64"
    assert S.structured_dot(f, T.fmatrix()).dtype == "float32"
    assert S.dot(i, T.fmatrix()).dtype == "float32"
    assert (i < i).dtype == "uint8"
    assert S.bcast(f).dtype == "int8"
    assert S.zcast(f).dtype == "complex128"
    assert S.cast(f, "float32") is f
    with pytest.raises(TypeError, match="complex"):
        S.fcast(S.zcast(f))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float32", "complex64"])
def test_other_dtypes(dtype):
    x = random(4, 5, dtype=dtype)
    b = np.arange(15).reshape(5, 3).astype(dtype)
    x_, b_ = S.csr_matrix(dtype=dtype), T.matrix(dtype=dtype)
    f = theano.function([x_, b_], [S.dot(x_, b_), x_.toarray(), S.sp_sum(x_, 0), S.sp_sum(x_, 1)])
    dot, dense, columns, rows = f(x, b)
    assert {v.dtype.name for v in (dot, dense, columns, rows)} == {dtype}
    same(dot, x @ b)
    same(dense, x)
    same(columns, np.asarray(x.sum(0, dtype=dtype)).ravel())
    same(rows, np.asarray(x.sum(1, dtype=dtype)).ravel())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", RELATIONS)
def test_comparisons(name, format):
    op, compare = getattr(S, name), RELATIONS[name]
    x, y = (random(4, 5, format, "int8", seed=s) for s in (0, 1))
    d = y.toarray()
    for found, expected, sparse in (
        (run(op, x, y), compare(x.toarray(), d), True),
        (run(op, x, d), compare(x.toarray(), d), False),
        (run(lambda a, b: op(b, a), x, d), compare(d, x.toarray()), False),
    ):
        assert sp.issparse(found) == sparse
        assert found.dtype == "uint8"
        same(found, expected)
    with pytest.raises(TypeError, match="neither"):
        op(T.dmatrix(), T.dmatrix())


def test_add_s_s_data():
    x = random(4, 5)
    same(run(S.add_s_s_data, x, 3 * x), 4 * x)
    with pytest.raises(NotImplementedError):
        S.add_s_s_data(S.csr_matrix(), S.csc_matrix())


@pytest.mark.parametrize("format", FORMATS)
def test_conversions(format):
    x = random(4, 5, format)
    dense = x.toarray()
    same(run(lambda a: a.toarray(), x), dense)
    same(run(S.dense_from_sparse, x), dense)
    for make, out in ((S.csr_from_dense, "csr"), (S.csc_from_dense, "csc")):
        found = run(make, dense)
        assert found.format == out
        assert found.nnz == x.nnz
        same(found, dense)
    same(run(S.csr_from_dense, np.arange(3.0)), [[0, 1, 2]])
    assert S.dense_from_sparse(T.matrix()).type.ndim == 2
    with pytest.raises(TypeError, match="2 dimensions"):
        S.csr_from_dense(T.tensor3())


@pytest.mark.parametrize("format", FORMATS)
def test_csm(format):
    x = random(4, 5, format)
    data, indices, indptr, shape = run(S.csm_properties, x)
    assert np.array_equal(data, x.data)
    assert np.array_equal(indices, x.indices)
    assert np.array_equal(indptr, x.indptr)
    assert shape.tolist() == [4, 5]
    assert {v.dtype.name for v in (indices, indptr, shape)} == {"int32"}
    make = {"csr": S.CSR, "csc": S.CSC}[format]
    same(run(lambda a: make(2 * S.csm_data(a), *S.csm_properties(a)[1:]), x), 2 * x)
    values = (x.data, x.indices, x.indptr, np.array(x.shape, "int32"))
    same(run(S.CSM(format), *values), x)
    with pytest.raises(TypeError, match="integers"):
        make(T.dvector(), T.dvector(), T.ivector(), T.ivector())
    with pytest.raises(TypeError, match="vector"):
        make(T.dmatrix(), T.ivector(), T.ivector(), T.ivector())


def test_csm_of_wrong_vectors_is_an_error():
    d, i, p, s = T.dvector(), T.ivector(), T.ivector(), T.ivector()
    f = theano.function([d, i, p, s], S.dot(S.CSR(d, i, p, s), np.ones((2, 1))))
    assert f([1.0, 2.0], [0, 1], [0, 1, 2], [2, 2]).ravel().tolist() == [1, 2]
    for bad in (
        ([1.0, 2.0], [0, 7], [0, 1, 2], [2, 2]),
        ([1.0, 2.0], [0, -1], [0, 1, 2], [2, 2]),
        ([1.0, 2.0], [0, 1], [0, 2, 1], [2, 2]),
        ([1.0], [0, 1], [0, 1, 2], [2, 2]),
        ([1.0, 2.0], [0, 1], [0, 1, 9], [2, 2]),
        ([1.0, 2.0], [0, 1], [], [2, 2]),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  (which check speaks is not the point)
            f(*bad)


@pytest.mark.parametrize("format", FORMATS)
def test_a_broken_matrix_never_crashes(format):
    x, w = S.matrix(format), T.dmatrix()
    f = theano.function([x, w], [S.dot(x, w), x.toarray(), S.sp_sum(x, 0), S.sp_sum(x, 1)])
    good = random(4, 4, format, density=0.6)
    f(good, np.ones((4, 2)))
    for attribute, position, value in (
        ("indices", 0, 10**6), ("indices", 1, -5), ("indptr", 1, 10**6), ("indptr", 2, 0),
    ):  # fmt: skip
        bad = good.copy()
        getattr(bad, attribute)[position] = value
        with pytest.raises((ValueError, IndexError)):
            f(bad, np.ones((4, 2)))


@pytest.mark.parametrize("format", FORMATS)
def test_sums_scales_and_diagonals(format):
    x = random(4, 5, format)
    for axis in (None, 0, 1):
        same(run(lambda a, axis=axis: S.sp_sum(a, axis), x), np.asarray(x.sum(axis)).squeeze())
    assert run(lambda a: a.sum(), x) == pytest.approx(x.sum())
    same(run(S.col_scale, x, np.arange(5.0)), x.toarray() * np.arange(5.0))
    same(run(S.row_scale, x, np.arange(4.0)), x.toarray() * np.arange(4.0)[:, None])
    square = random(4, 4, format)
    same(run(S.diag, square), square.diagonal())
    made = run(S.square_diagonal, np.arange(3.0))
    assert made.format == "csc"
    same(made, np.diag(np.arange(3.0)))
    with pytest.raises(ValueError, match="axis"):
        S.sp_sum(S.csr_matrix(), 2)
    with pytest.raises(ValueError, match="square"):
        run(S.diag, x)
    with pytest.raises(ValueError, match="4 factors"):
        run(S.col_scale, x, np.arange(4.0))


def test_clean():
    x = sp.csr_matrix((np.array([3.0, 0.0, 1.0]), [2, 0, 1], [0, 2, 3]), shape=(2, 3))
    assert run(S.remove0, x).nnz == 2
    assert run(S.ensure_sorted_indices, x).indices.tolist() == [0, 2, 1]
    cleaned = run(S.clean, x)
    assert (cleaned.nnz, cleaned.indices.tolist()) == (2, [2, 1])
    assert x.nnz == 3
    ones = run(S.sp_ones_like, x)
    assert ones.data.tolist() == [1, 1, 1]
    assert run(S.sp_zeros_like, x).nnz == 0
    assert run(S.sp_zeros_like, x).shape == (2, 3)


@pytest.mark.parametrize("format", FORMATS)
def test_joins(format):
    x, y = random(4, 5, format), random(4, 3, seed=1)
    same(run(lambda a, b: S.hstack([a, b]), x, y), sp.hstack([x, y]))
    found = run(lambda a, b: S.vstack([a.T, b.T], format="csr"), x, y)
    assert found.format == "csr"
    same(found, sp.vstack([x.T, y.T]))
    assert S.hstack([S.csr_fmatrix(), S.csr_dmatrix()]).type == S.csc_dmatrix
    assert S.hstack([S.csr_fmatrix()], dtype="float64").dtype == "float64"
    with pytest.raises(ValueError, match="0 sparses"):
        S.hstack([])
    with pytest.raises(ValueError, match="differ"):
        run(lambda a, b: S.vstack([a, b]), x, y)


@pytest.mark.parametrize("format", FORMATS)
def test_indexing(format):
    x = random(6, 5, format, density=0.6)
    dense = x.toarray()
    for index in (
        (2, 3), (-1, -2), (0, 0), slice(1, 4), (slice(None), slice(1, -1)), (slice(None, None, 2),),
        (slice(4, 1, -1), slice(None, None, -1)), (3, slice(None)), (slice(2, 5), -1), 1, -1,
        [0, 2, 0], ([0, 5, 5], [1, 4, 4]), slice(4, 100), slice(3, 3),
    ):  # fmt: skip
        rows, columns = (index if isinstance(index, tuple) else (index, slice(None)))[:1] + (
            index[1:] if isinstance(index, tuple) and len(index) == 2 else (slice(None),)
        )
        found = run(lambda a, index=index: a[index], x)
        if isinstance(rows, int) != isinstance(columns, int):  # one row or column stays a matrix
            rows, columns = (slice(i, i + 1 or None) if isinstance(i, int) else i
                             for i in (rows, columns))  # fmt: skip
        same(found, dense[rows, columns])
        assert not sp.issparse(found) or found.format == format
    i = T.iscalar()
    f = theano.function([a := S.matrix(format), i], [a[i, 1], a[i:, :2]])
    same(f(x, 2)[0], dense[2, 1])
    same(f(x, -2)[1], dense[-2:, :2])
    with pytest.raises(IndexError):
        f(x, 6)


@pytest.mark.parametrize("index", [None, Ellipsis, (slice(None),) * 3, (0, None), 1.5, "a"])
def test_indices_that_are_not_supported(index):
    with pytest.raises((ValueError, TypeError)):
        S.csr_matrix()[index]


NAMES = (
    "sin", "arcsin", "tan", "arctan", "sinh", "arcsinh", "tanh", "arctanh", "ceil", "floor",
    "sqrt", "log1p", "expm1", "deg2rad", "rad2deg", "trunc", "rint",
)  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES, "sqr", "sgn", "conjugate"])
def test_functions_that_keep_zeros(name):
    x = random(4, 5) / 10
    reference = {"sqr": np.square, "sgn": np.sign}.get(name) or getattr(np, name)
    found = run(getattr(S, name), x)
    assert found.nnz == x.nnz
    with np.errstate(invalid="ignore"):
        same(found, reference(x.toarray()))


def test_structured_functions_leave_absent_elements_alone():
    x = abs(random(4, 5, "csc"))
    present = x.toarray() != 0
    with np.errstate(divide="ignore"):
        for make, value in (
            (S.structured_exp, np.exp(x.toarray())),
            (S.structured_log, np.log(x.toarray())),
            (S.structured_sigmoid, 1 / (1 + np.exp(-x.toarray()))),
            (lambda a: S.structured_pow(a, 2), x.toarray() ** 2),
            (lambda a: S.structured_add(a, 1), x.toarray() + 1),
            (lambda a: S.structured_minimum(a, 2.0), np.minimum(x.toarray(), 2)),
            (lambda a: S.structured_maximum(a, 2.0), np.maximum(x.toarray(), 2)),
        ):
            found = run(make, x)
            assert found.format == "csc"
            same(found, np.where(present, value, 0))
    with pytest.raises(TypeError, match="scalar"):
        S.structured_pow(S.csr_matrix(), T.vector())


def test_shapes_that_differ():
    x, y = random(4, 5), random(5, 4)
    for make in (operator.add, operator.mul, S.lt):
        with pytest.raises(ValueError, match="shape"):
            run(make, x, y)
        with pytest.raises(ValueError, match="shape"):
            run(make, x, y.toarray())


@given(rows=st.integers(0, 4), columns=st.integers(0, 4), data=st.data())
@settings(max_examples=15, deadline=None, database=None)
def test_empty_and_small_shapes(rows, columns, data):
    format = data.draw(st.sampled_from(FORMATS))
    x = random(rows, columns, format, density=data.draw(st.sampled_from([0.0, 0.5, 1.0])))
    d = np.ones((rows, columns))
    f = _small(format)
    total, down, across, dense, doubled, product, shared = f(x, d)
    same(total, x.sum())
    same(down, np.asarray(x.sum(0)).ravel())
    same(across, np.asarray(x.sum(1)).ravel())
    same(dense, x)
    same(doubled, x * 2)
    same(product, x)
    same(shared, x.toarray() @ d.T)


_FUNCTIONS = {}


def _small(format):
    if format not in _FUNCTIONS:
        x, d = S.matrix(format), T.dmatrix()
        outputs = [S.sp_sum(x), S.sp_sum(x, 0), S.sp_sum(x, 1), x.toarray(), x * 2.0, x * d]
        _FUNCTIONS[format] = theano.function([x, d], [*outputs, S.dot(x, d.T)])
    return _FUNCTIONS[format]


def test_random_matrices():
    from theano.sparse.sandbox import sp2

    np.random.seed(0)
    x = abs(random(30, 20)).astype("float64")
    drawn = run(sp2.poisson, x)
    assert drawn.shape == x.shape
    assert drawn.nnz <= x.nnz
    assert abs(drawn.sum() - x.sum()) < 6 * np.sqrt(x.sum())
    made = theano.function([], sp2.csr_dbinomial(10, 0.5, [50, 40]))()
    assert (made.format, made.shape) == ("csr", (50, 40))
    assert abs(made.toarray().mean() - 5) < 0.2
    p = sp.csr_matrix(np.array([[0.5, 0.5, 0], [0, 0, 1.0]]))
    counts = run(lambda a: sp2.multinomial(7, a), p).toarray()
    assert counts.sum(axis=1).tolist() == [7, 7]
    assert counts[0, 2] == 0


def test_construct_sparse_from_list():
    w = np.zeros((5, 3))
    values = np.arange(9.0).reshape(3, 3)
    found = run(S.construct_sparse_from_list, w, values, np.array([1, 4, 1], "int32"))
    expected = w.copy()
    np.add.at(expected, [1, 4, 1], values)
    assert found.format == "csc"
    same(found, expected)
    with pytest.raises(IndexError, match="out of bounds"):
        run(S.construct_sparse_from_list, w, values, np.array([1, 5, 1], "int32"))
