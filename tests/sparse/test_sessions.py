"""What users do with sparse matrices: training, embeddings, graph propagation, old names."""

import importlib

import numpy as np
import pytest
import scipy.sparse as sp

import theano
import theano.sparse as S
import theano.tensor as T


def documents(rows=60, columns=30, seed=0, dtype="float32"):
    rng = np.random.default_rng(seed)
    x = sp.random(rows, columns, 0.2, "csr", random_state=seed).astype(dtype)
    labels = (x @ rng.normal(size=(columns, 3))).argmax(axis=1)
    return x, labels.astype("int32")


def test_training_a_classifier_on_sparse_rows():
    """As Keras does it: csr input, dense weights, structured_dot, SGD."""
    data, labels = documents()
    x, y = S.csr_matrix("x", dtype="float32"), T.ivector("y")
    w = theano.shared(np.zeros((30, 3), "float32"), "w")
    b = theano.shared(np.zeros(3, "float32"), "b")
    p = T.nnet.softmax(S.basic.structured_dot(x, w) + b)
    loss = T.nnet.categorical_crossentropy(p, y).mean()
    updates = [(v, v - np.float32(5) * g) for v, g in zip([w, b], theano.grad(loss, [w, b]),
                                                           strict=True)]  # fmt: skip
    step = theano.function([x, y], loss, updates=updates)
    assert step.native is not None
    losses = [float(step(data, labels)) for _ in range(60)]
    assert losses[0] == pytest.approx(np.log(3), rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]
    # one step by hand
    w.set_value(np.zeros((30, 3), "float32"))
    b.set_value(np.zeros(3, "float32"))
    step(data, labels)
    hot = np.eye(3)[labels]
    expected = -5 * (data.T @ (np.full((60, 3), 1 / 3) - hot)) / 60
    assert np.allclose(w.get_value(), expected, atol=1e-5)


def test_the_same_with_slices_of_a_shared_matrix():
    data, labels = documents()
    x, y = theano.shared(data, "x"), theano.shared(labels, "y")
    start = T.lscalar("start")
    w = theano.shared(np.zeros((30, 3), "float32"))
    p = T.nnet.softmax(theano.dot(x[start : start + 20], w))
    loss = -T.log(p[T.arange(20), y[start : start + 20]]).mean()
    step = theano.function([start], loss, updates=[(w, w - np.float32(1) * theano.grad(loss, w))])
    first = [float(step(s)) for s in (0, 20, 40)]
    last = [float(step(s)) for s in (0, 20, 40)]
    assert sum(last) < sum(first)


def test_sparse_weights_keep_their_pattern():
    rng = np.random.default_rng(0)
    pattern = sp.random(6, 4, 0.5, "csr", random_state=0)
    w = theano.shared(pattern.copy(), "w")
    x, t = T.dmatrix("x"), T.dmatrix("t")
    loss = ((S.structured_dot(x, w) - t) ** 2).sum()
    step = theano.function([x, t], loss, updates=[(w, w - 0.01 * theano.grad(loss, w))])
    values = rng.normal(size=(10, 6)), rng.normal(size=(10, 4))
    losses = [step(*values) for _ in range(20)]
    assert losses[-1] < losses[0]
    assert np.array_equal(w.get_value().indices, pattern.indices)


def test_embeddings_with_sparse_gradients_touch_their_rows_only():
    table = np.random.default_rng(0).normal(size=(100, 5))
    e = theano.shared(table, "e")
    words = T.ivector("words")
    rows = theano.sparse_grad(e[words])
    g = theano.grad((rows**2).sum(), e)
    assert g.type == S.csc_dmatrix
    step = theano.function([words], updates=[(e, e - 0.1 * g)])
    step([3, 7, 3])
    expected = table.copy()
    np.add.at(expected, [3, 7, 3], -0.2 * table[[3, 7, 3]])
    assert np.allclose(e.get_value(), expected)
    text = theano.explain(step, code=False)["program"]
    assert "inplace" in text
    assert "python" not in text
    value = theano.function([words], g)([3, 7, 3])
    assert set(value.tocoo().row) == {3, 7}
    for wrong in (e, T.exp(e), e[1:3]):
        with pytest.raises(TypeError, match="AdvancedSubtensor1"):
            theano.sparse_grad(wrong)


def test_the_gradient_is_sparse_where_the_type_asks_for_it():
    kind = T.TensorType("float64", (False, False), sparse_grad=True)
    x, rows = kind("x"), T.ivector()
    assert isinstance(theano.grad(x[rows].sum(), x).type, S.SparseType)


def test_a_graph_convolution_with_a_constant_matrix():
    a = sp.random(20, 20, 0.2, "csr", random_state=0)
    adjacency = S.as_sparse_variable(a)
    x, w = T.dmatrix("x"), theano.shared(np.ones((4, 3)))
    h = T.nnet.relu(S.structured_dot(adjacency, x).dot(w))
    y = S.structured_dot(adjacency, h).sum()
    f = theano.function([x], [y, theano.grad(y, w)])
    values = np.random.default_rng(0).normal(size=(20, 4))
    hidden = np.maximum(a @ values @ np.ones((4, 3)), 0)
    found, g = f(values)
    assert found == pytest.approx((a @ hidden).sum())
    back = (a.T @ np.ones((20, 3))) * (hidden > 0)
    assert np.allclose(g, (a @ values).T @ back)


def test_scipy_matrices_meet_symbolic_arrays():
    m = sp.random(4, 3, 0.5, "csr", random_state=0)
    w = T.dmatrix("w")
    b = np.ones((3, 2))
    assert np.allclose(theano.function([w], theano.dot(m, w))(b), m @ b)
    assert np.allclose(theano.function([w], S.dot(m, w))(b), m @ b)
    x = S.csr_matrix("x")
    assert np.allclose((np.ones((4, 3)) + x).eval({x: m}), 1 + m.toarray())
    assert np.allclose((np.ones((4, 3)) * x).eval({x: m}).toarray(), m.toarray())


def test_functions_over_sparse_givens_and_defaults():
    m = sp.random(4, 3, 0.5, "csr", random_state=0)
    x, y = S.csr_matrix("x"), S.csr_matrix("y")
    f = theano.function([y], S.sp_sum(x), givens={x: y * 2.0})
    assert f(m) == pytest.approx(2 * m.sum())
    g = theano.function([theano.In(x, value=m)], S.sp_sum(x))
    assert g() == pytest.approx(m.sum())
    state = theano.shared(m)
    h = theano.function([], S.sp_sum(state), updates=[(state, state + state)])
    assert [float(h() / m.sum()) for _ in range(3)] == pytest.approx([1, 2, 4])


def test_the_tutorial():
    """Construction, properties and gradients as introductions show them."""
    data, indices, indptr = np.asarray([7, 8, 9]), np.asarray([0, 1, 2]), np.asarray([0, 2, 3, 3])
    m = sp.csc_matrix((data, indices, indptr), shape=(3, 3))
    x = S.csc_matrix(name="x", dtype="int64")
    f = theano.function([x], S.transpose(x))
    assert isinstance(f(m), sp.csr_matrix)
    parts = S.csm_properties(x)
    y = S.CSR(*parts)
    assert np.array_equal(theano.function([x], y)(m).toarray(), m.toarray().T)
    dense = theano.function([x], S.dense_from_sparse(x))(m)
    assert dense.tolist() == m.toarray().tolist()
    z = S.csr_matrix("z")
    out = S.structured_add(z, 2)
    assert theano.function([z], out)(m.tocsr().astype("float64")).nnz == 3


NAMES = (
    "SparseType", "SparseVariable", "SparseConstant", "CSC", "CSM", "CSR", "CSMGrad",
    "CSMProperties", "csm_grad", "bcast", "wcast", "icast", "lcast", "fcast", "dcast", "ccast",
    "zcast", "toarray", "HStack", "VStack", "AddSS", "MulSD", "StructuredDot", "TrueDot",
    "Usmm", "SamplingDot", "GetItem2d", "ConstructSparseFromList", "verify_grad_sparse",
    "sparse_formats", "as_sparse", "_is_sparse_variable", "_is_dense_variable", "all_dtypes",
    "structured_monoid", "get_item_2lists_grad", "csr_fmatrix", "csc_dmatrix", "bsr_dmatrix",
)  # fmt: skip


def test_old_names():
    basic = importlib.import_module("theano.sparse.basic")
    for name in NAMES:
        assert hasattr(basic, name), name
    assert S.enable_sparse
    assert set(S.sparse_formats) >= {"csc", "csr"}
    from theano.sparse.sandbox import sp as old
    from theano.sparse.sandbox import sp2

    assert old.sp_sum is S.sp_sum
    assert sp2.poisson is sp2.poisson
    assert importlib.import_module("theano.sparse.opt").local_csm_properties_csm
    assert theano.sparse is S
    assert basic._is_sparse_variable(S.csr_matrix())
    assert basic._is_dense_variable(T.matrix())
    with pytest.raises(NotImplementedError):
        basic._is_sparse_variable(np.eye(2))


class Scaled(theano.Op):
    """An op of a user's that gives a sparse matrix."""

    __props__ = ()

    def make_node(self, x):
        x = S.as_sparse_variable(x)
        return theano.Apply(self, [x], [S.matrix(x.format, dtype=x.dtype)])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = 3 * inputs[0]

    def grad(self, inputs, output_grads):
        return [output_grads[0] * 3.0]


def test_ops_of_users():
    x, w = S.csr_matrix("x"), T.dmatrix("w")
    m = sp.random(4, 3, 0.5, "csr", random_state=0)
    y = S.structured_dot(Scaled()(x), w)
    value, g = theano.function([x, w], [y, theano.grad(y.sum(), x)])(m, np.ones((3, 2)))
    assert np.allclose(value, 3 * (m @ np.ones((3, 2))))
    assert np.allclose(g.toarray(), 6 * (m.toarray() != 0))


def test_test_values():
    with theano.change_flags(compute_test_value="raise"):
        x = S.csr_matrix("x")
        x.tag.test_value = sp.random(4, 3, 0.5, "csr", random_state=0)
        assert S.dot(x, np.ones((3, 2))).tag.test_value.shape == (4, 2)
        with pytest.raises(ValueError, match="shape"):
            S.dot(x, np.ones((4, 2)))


def test_nan_guard_looks_into_sparse_matrices():
    from theano.compile.nanguardmode import NanGuardMode

    x = S.csr_matrix("x")
    f = theano.function([x], S.sp_sum(x), mode=NanGuardMode())
    m = sp.random(4, 3, 0.5, "csr", random_state=0)
    assert f(m) == pytest.approx(m.sum())
    m.data[0] = np.nan
    with pytest.raises(AssertionError, match="NaN"):
        f(m)
