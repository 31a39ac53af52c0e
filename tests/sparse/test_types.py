"""Sparse types, variables, constants, shared variables; what functions take and give."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

import theano
import theano.sparse as S
import theano.tensor as T
from theano.core.config import change_flags
from theano.core.errors import AsTensorError


def random(rows, columns, format="csr", dtype="float64", density=0.4, seed=0):
    found = sp.random(rows, columns, density, format, random_state=seed)
    return (10 * found).astype(dtype).asformat(format)


def test_type_says_format_and_dtype():
    kind = S.SparseType("csr", "float32")
    assert str(kind) == "Sparse[float32, csr]"
    assert kind == S.SparseType(format="csr", dtype="float32")
    assert kind != S.SparseType("csc", "float32")
    assert kind != S.SparseType("csr", "float64")
    assert len({kind, S.SparseType("csr", "float32"), S.csr_dmatrix}) == 2
    assert kind.ndim == 2
    x = kind("x")
    assert (x.name, x.dtype, x.format, x.ndim) == ("x", "float32", "csr", 2)


@pytest.mark.parametrize("make", [S.csr_matrix, S.csc_matrix, S.bsr_matrix])
def test_constructors_resolve_floatx_when_called(make):
    assert make("x").dtype == theano.config.floatX
    with change_flags(floatX="float32"):
        assert make().dtype == "float32"
    assert make("x", "int32").dtype == "int32"
    assert S.matrix(make.__name__[:3], dtype="int8").type == make(dtype="int8").type


def test_unknown_formats_and_dtypes_are_refused_by_name():
    with pytest.raises(NotImplementedError, match=r"'coo'.*csr"):
        S.SparseType("coo", "float64")
    with pytest.raises(NotImplementedError, match="float16"):
        S.SparseType("csr", "float16")
    with pytest.raises(NotImplementedError, match="object"):
        S.SparseType("csr", "object")


def test_import_theano_does_not_import_scipy():
    code = (
        "import sys, theano, theano.tensor as T\n"
        "theano.function([], T.constant(1.0) + 1, mode='FAST_COMPILE')()\n"
        "assert 'scipy' not in sys.modules\n"
        "assert theano.sparse.csr_matrix('x').format == 'csr'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("format", ["csr", "csc", "bsr"])
def test_functions_take_matrices_and_arrays_and_give_matrices(format):
    x = S.matrix(format, "x")
    f = theano.function([x], x)
    m = random(3, 4).asformat(format)
    cls = getattr(sp, f"{format}_matrix")
    for given in (m, getattr(sp, f"{format}_array")(m), m.tocoo(), m.toarray()):
        result = f(given)
        assert isinstance(result, cls)
        assert np.array_equal(result.toarray(), m.toarray())


def test_results_share_no_memory_with_arguments():
    x = S.csr_matrix("x")
    m = random(3, 4)
    for result in theano.function([x], [x, x.T, S.cast(x, "float64"), S.remove0(x)])(m):
        assert result is not m
        assert not np.shares_memory(result.data, m.data)
    for vector in theano.function([x], S.csm_properties(x)[:3])(m):
        assert not any(np.shares_memory(vector, v) for v in (m.data, m.indices, m.indptr))


def test_arguments_of_other_dtypes():
    x = S.csr_matrix("x", "float32")
    f = theano.function([x], x.toarray())
    assert f(random(2, 2, dtype="int8")).dtype == "float32"
    with pytest.raises(TypeError, match=r"float64.*\.astype"):
        f(random(2, 2))
    g = theano.function([x], x.toarray(), allow_input_downcast=True)
    assert g(random(2, 2)).dtype == "float32"
    with pytest.raises(TypeError, match="sparse matrix"):
        f("text")
    with pytest.raises(TypeError, match=r"2 dimensions|dense matrix"):
        f(np.zeros(3, "float32"))


def test_strict_inputs_are_not_converted():
    x = S.csr_matrix("x")
    f = theano.function([theano.In(x, strict=True)], x.toarray())
    assert f(random(2, 3)).shape == (2, 3)
    with pytest.raises(TypeError, match="csc"):
        f(random(2, 3, "csc"))
    with pytest.raises(TypeError, match="ndarray"):
        f(np.zeros((2, 2)))


def test_values_eq():
    kind, m = S.csr_dmatrix, random(4, 5)
    other = m.copy()
    assert kind.values_eq(m, other)
    other.data[0] += 1e-12
    assert not kind.values_eq(m, other)
    assert kind.values_eq_approx(m, other)
    assert not kind.values_eq_approx(m, -m)
    assert not kind.values_eq_approx(m, random(5, 4))
    zero = m.copy()
    zero.data[:] = 0
    assert kind.values_eq(zero, sp.csr_matrix(m.shape))
    assert kind.is_valid_value(m)
    assert not kind.is_valid_value(m.tocsc())


def test_constants():
    m = random(3, 4, "csc")
    x = S.as_sparse_variable(m)
    assert isinstance(x, S.SparseConstant)
    assert x.type == S.csc_dmatrix
    assert x.equals(S.constant(m))
    assert not x.equals(S.constant(2 * m))
    assert S.as_sparse(x) is x
    m.data[:] = 0
    assert x.data.nnz
    assert x.data.data.all()
    with pytest.raises(TypeError, match=r"scipy\.sparse"):
        S.constant(np.eye(2))
    with pytest.raises(TypeError, match="Cannot convert"):
        S.as_sparse_variable([1, 2])
    with pytest.raises(TypeError, match="SparseType"):
        S.as_sparse_variable(T.matrix())
    assert S.as_sparse_or_tensor_variable(np.eye(2)).type.ndim == 2
    assert S.as_sparse_or_tensor_variable(m).type == S.csc_dmatrix


def test_sparse_where_dense_is_needed_says_how():
    with pytest.raises(AsTensorError, match="dense_from_sparse"):
        T.exp(S.csr_matrix("x"))


def test_shared():
    m = random(4, 3)
    x = theano.shared(m, "x")
    assert isinstance(x, S.SparseTensorSharedVariable)
    assert (x.type, x.name, x.format) == (S.csr_dmatrix, "x", "csr")
    assert x.get_value() is not m
    assert x.get_value(borrow=True) is x.get_value(borrow=True)
    total = theano.function([], S.sp_sum(x))
    assert np.allclose(total(), m.sum())
    x.set_value(2 * m)
    assert np.allclose(total(), 2 * m.sum())
    double = theano.function([], updates=[(x, x * 2.0)])
    double()
    assert np.allclose(total(), 4 * m.sum())
    x.set_value(m.tocsc())
    assert isinstance(x.get_value(), sp.csr_matrix)
    x.zero()
    assert total() == 0
    with pytest.raises(TypeError):
        x.set_value("no")
    assert S.shared(m.tocsc()).type == S.csc_dmatrix
    with pytest.raises(TypeError, match="sparse matrix"):
        S.shared(np.eye(2))


def test_updates_of_another_format_are_refused():
    x = theano.shared(random(3, 3))
    with pytest.raises(TypeError, match="csc"):
        theano.function([], updates=[(x, x.T)])


def test_pickle_and_copies():
    x = theano.shared(random(3, 4))
    v = T.dvector("v")
    f = theano.function([v], S.dot(x, v))
    expected = f(np.ones(4))
    for other in (pickle.loads(pickle.dumps(f)), copy.copy(f), copy.deepcopy(f)):
        assert np.allclose(other(np.ones(4)), expected)
    y = copy.deepcopy(S.csr_matrix("y"))
    assert y.type == S.csr_dmatrix
    assert pickle.loads(pickle.dumps(S.constant(random(2, 2)))).type == S.csr_dmatrix


def test_variables_have_the_usual_attributes():
    x = S.csr_matrix("x")
    m = random(3, 4)
    values = theano.function([x], [x.shape, x.shape[1], x.size, x.T.shape])(m)
    assert [np.asarray(v).tolist() for v in values] == [[3, 4], 4, m.nnz, [4, 3]]
    assert x.T.format == "csc"
    assert x.T.T is x
    assert x.eval({x: m}).nnz == m.nnz
    assert str(x) == "x"
    x._keras_shape = (3, 4)
    with pytest.raises(TypeError, match="boolean"):
        bool(x < x)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "DebugMode"])
def test_modes(mode):
    x, w = S.csr_matrix("x"), T.dmatrix("w")
    m, b = random(5, 4), np.arange(12.0).reshape(4, 3)
    f = theano.function([x, w], [theano.dot(x, w), S.structured_exp(x), x.T], mode=mode)
    dense, sparse, turned = f(m, b)
    assert np.allclose(dense, m @ b)
    assert np.allclose(sparse.data, np.exp(m.data))
    assert isinstance(turned, sp.csc_matrix)
