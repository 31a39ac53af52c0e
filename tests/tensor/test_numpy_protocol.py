"""NumPy's functions, methods and operators on symbolic arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from reference_names import METHODS, listed

import theano
import theano.tensor as T
from theano.graph import numpy_protocols, numpy_table

X = T.dmatrix("x")
DATA = np.array([[3.0, 0.5, 2.0], [1.0, 5.0, 4.0]])

ELEMENTWISE = listed("""
    abs absolute arccosh arcsinh arctan ceil cos cosh deg2rad exp exp2 expm1 floor isnan isinf
    isfinite log log10 log1p log2 negative positive rad2deg reciprocal rint sign sin sinh sqrt
    square tan tanh trunc cbrt fabs degrees radians conjugate logical_not
""")
WHOLE = listed("""
    sum prod mean var std max min amax amin argmax argmin any all ptp cumsum cumprod diff trace
    transpose ravel squeeze sort argsort flip flipud fliplr zeros_like ones_like real imag angle
    round around copy atleast_1d atleast_2d atleast_3d tril triu diag diagonal nonzero shape
""")
CALLS = {
    "sum, axis, keepdims": lambda x: np.sum(x, axis=0, keepdims=True),
    "sum, by position": lambda x: np.sum(x, 1),
    "sum, by keyword": lambda x: np.sum(a=x, axis=1),
    "mean of two axes": lambda x: np.mean(x, axis=(0, 1)),
    "var ddof": lambda x: np.var(x, axis=1, ddof=1, keepdims=True),
    "std correction": lambda x: np.std(x, correction=1),
    "add": lambda x: np.add(x, DATA),
    "number first": lambda x: np.float64(2.0) * x - np.float32(1),
    "array first": lambda x: DATA + x,
    "array minus": lambda x: DATA - x * DATA / 2,
    "power": lambda x: np.power(x, 2),
    "maximum": lambda x: np.maximum(x, 2.5),
    "greater": lambda x: np.greater(x, 2.5),
    "logical": lambda x: np.logical_and(x, x > 2),
    "hypot": lambda x: np.hypot(x, 2.0),
    "logaddexp": lambda x: np.logaddexp(x, 1.0),
    "arctan2": lambda x: np.arctan2(x, 2.0),
    "where": lambda x: np.where(x > 2, x, 0.0),
    "where of one": lambda x: np.where(x > 2),
    "clip": lambda x: np.clip(x, 1.0, 3.0),
    "clip, one side": lambda x: np.clip(x, None, 3.0),
    "clip, by keyword": lambda x: np.clip(x, min=1.0, max=3.0),
    "dot": lambda x: np.dot(x, x.T),
    "matmul": lambda x: np.matmul(x, np.ones((3, 2))),
    "tensordot": lambda x: np.tensordot(x, x, axes=([0], [0])),
    "outer": lambda x: np.outer(x[0], x[1]),
    "concatenate": lambda x: np.concatenate([x, x + 1]),
    "concatenate with arrays": lambda x: np.concatenate([x, DATA], axis=1),
    "stack": lambda x: np.stack([x, 2 * x], axis=-1),
    "hstack": lambda x: np.hstack([x[0], x[1]]),
    "hstack of matrices": lambda x: np.hstack([x, x]),
    "vstack": lambda x: np.vstack([x[0], x[1]]),
    "dstack": lambda x: np.dstack([x, x]),
    "column_stack": lambda x: np.column_stack([x[0], x[1]]),
    "split": lambda x: np.split(x, [1, 2], axis=1)[1],
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "reshape, by keyword": lambda x: np.reshape(x, shape=(-1, 2)),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "transpose": lambda x: np.transpose(x, (1, 0)),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 1), axis=1),
    "flip": lambda x: np.flip(x, axis=1),
    "roll": lambda x: np.roll(x, 1, axis=1),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "tile": lambda x: np.tile(x, (2, 1)),
    "take": lambda x: np.take(x, [0, 2], axis=1),
    "sort": lambda x: np.sort(x, axis=0),
    "searchsorted": lambda x: np.searchsorted(np.sort(x[0]), [1.5, 2.5]),
    "full_like": lambda x: np.full_like(x, 7.0),
    "isclose": lambda x: np.isclose(x, 2.0),
    "allclose": lambda x: np.allclose(x, x),
    "diff": lambda x: np.diff(x, n=1, axis=0),
    "reduce": lambda x: np.add.reduce(x),
    "reduce axis": lambda x: np.maximum.reduce(x, axis=1),
    "accumulate": lambda x: np.add.accumulate(x, axis=1),
    "ufunc outer": lambda x: np.multiply.outer(x[0], x[1]),
    "inner": lambda x: np.inner(x, x),
    "vdot": lambda x: np.vdot(x, x),
    "append": lambda x: np.append(x, x, axis=1),
    "append flat": lambda x: np.append(x, 1.0),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=1),
    "matrix_transpose": lambda x: np.matrix_transpose(x),
    "multi_dot": lambda x: np.linalg.multi_dot([x, x.T, x]),
    "linalg.diagonal": lambda x: np.linalg.diagonal(x, offset=1),
    "size": lambda x: np.asarray(np.size(x)) if isinstance(x, np.ndarray) else np.size(x),
    "erf": lambda x: scipy.special.erf(x),
    "gammaln": lambda x: scipy.special.gammaln(x),
    "expit": lambda x: scipy.special.expit(x),
    "method mean": lambda x: x.mean(axis=0, keepdims=True),
    "method chain": lambda x: x[..., None].T.astype("float32").sum(axis=(0, 1)),
    "newaxis": lambda x: x[:, np.newaxis, 1:],
    "matmul operator": lambda x: DATA @ x.T,
}


def same(function, loose: float = 1e-12) -> None:
    """``function`` gives the same symbolically and on the array."""
    wanted, got = function(DATA), function(X)
    many = isinstance(wanted, tuple) and isinstance(got, (tuple, list))
    pairs = zip(got, wanted, strict=True) if many else [(got, wanted)]
    for symbolic, expected in pairs:
        value = _value(symbolic)
        assert value.shape == np.shape(expected)
        np.testing.assert_allclose(value, expected, rtol=loose)


def _value(symbolic):
    assert isinstance(symbolic, theano.Variable)
    return np.asarray(theano.function([X], symbolic, on_unused_input="ignore")(DATA))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions(name: str) -> None:
    """`np.exp(x)` and its like."""
    function = getattr(np, name)
    same(lambda x: function(x + 1.0))


@pytest.mark.parametrize("name", WHOLE)
def test_functions_of_one_array(name: str) -> None:
    """`np.sum(x)` and its like, with NumPy's default axis."""
    same(getattr(np, name))


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    """Arguments by position and keyword, several arrays, arrays and numbers on either side."""
    same(CALLS[name])


@pytest.mark.parametrize(
    "bad",
    [
        lambda: np.sum(X, out=np.zeros(3)),
        lambda: np.sum(X, where=np.ones(3, bool)),
        lambda: np.add(X, 1, where=False),
        lambda: np.reshape(X, (3, 2), order="F"),
        lambda: np.heaviside(X, 1.0),
        lambda: np.polyfit(X, X, 1),
        lambda: np.add.at(X, 0, 1),
        lambda: np.bitwise_and.reduce(X),
        lambda: np.split(X, 2),
        lambda: np.round(X, 2),
        lambda: np.linalg.cond(X),
    ],
)
def test_what_has_no_counterpart_says_what_to_do(bad) -> None:
    """A TypeError that names theano.tensor, or the way out."""
    with pytest.raises(TypeError, match=r"theano\.tensor|multiply, round"):
        bad()


def test_every_row_finds_its_builder_or_a_later_module() -> None:
    """Names in the tables exist, except those of modules that say so themselves."""
    rows = [(name, builder) for name, (builder, _) in numpy_table.FUNCTIONS.items()]
    rows += list(numpy_table.UFUNCS.items())
    lost = [
        (name, builder)
        for name, builder in rows
        if numpy_protocols._find(builder) is None and ":" not in str(builder)
    ]
    assert lost == []


@pytest.mark.parametrize("name", ["linalg.inv", "linalg.det", "einsum", "kron", "linalg.svd"])
def test_linear_algebra_is_looked_up_when_asked_for(name: str) -> None:
    """The face module's function is called where it exists; else the error names NumPy's name."""
    function = np
    for part in name.split("."):
        function = getattr(function, part)
    builder, _ = numpy_table.FUNCTIONS[name]
    arguments = {"einsum": ("ij->ji", X), "kron": (X, X)}.get(name, (X,))
    if numpy_protocols._find(builder) is None:
        with pytest.raises(TypeError, match=f"numpy.{name} has no symbolic"):
            function(*arguments)
    else:
        result = function(*arguments)
        parts = result if isinstance(result, (list, tuple)) else [result]
        assert all(isinstance(part, theano.Variable) for part in parts)


def test_values_are_refused_with_help() -> None:
    """No value to convert, no length, no membership."""
    for convert in (float, int, complex, np.asarray, len):
        with pytest.raises(TypeError, match=r"eval|shape"):
            convert(T.dvector("v"))
    with pytest.raises(TypeError, match="any"):
        assert 1.0 in T.dvector("v")
    v = T.dvector("v")
    assert v in {v: 1}
    with pytest.raises(TypeError, match="boolean"):
        bool(X > 1)


def test_iteration_where_the_length_is_known() -> None:
    """Vectors and matrices whose first size is static."""
    m = T.tensor("float64", shape=(2, None), name="m")
    rows = list(m)
    assert len(rows) == 2
    np.testing.assert_allclose(rows[1].eval({m: DATA}), DATA[1])
    a, b = T.stack([X[0, 0], X[1, 1]])
    assert (a + b).eval({X: DATA}) == 8.0
    with pytest.raises(TypeError, match="does not support iteration"):
        iter(X)


def test_set_and_inc_of_an_index_result() -> None:
    """`x[i].set(v)` gives a new array."""
    changed, expected = X[0, 1:].set(9.0), DATA.copy()
    expected[0, 1:] = 9
    np.testing.assert_allclose(changed.eval({X: DATA}), expected)
    expected = DATA.copy()
    expected[:, 1] += DATA[:, 0]
    np.testing.assert_allclose(X[:, 1].inc(X[:, 0]).eval({X: DATA}), expected)
    with pytest.raises(TypeError):
        (X + 1).set(0.0)


def test_all_methods_exist() -> None:
    """On variables, constants and shared arrays alike."""
    for variable in (X, T.constant(DATA), theano.shared(DATA)):
        assert [name for name in METHODS if not callable(getattr(variable, name, None))] == []


def test_gradient_through_numpy_functions() -> None:
    """They are graph like any other."""
    cost = np.sum(np.exp(-np.square(X)) * np.where(X > 1, X, 0.0))
    got = theano.function([X], theano.grad(cost, X))(DATA)
    e = np.exp(-(DATA**2))
    wanted = np.where(DATA > 1, e - 2 * DATA**2 * e, 0.0)
    np.testing.assert_allclose(got, wanted, atol=1e-12)
