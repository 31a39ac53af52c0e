"""``theano.scalar``: types, variables, ops by their names, preferences, Composite."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import theano
import theano.scalar as scal
import theano.tensor as T
from theano.core.errors import ComplexError
from theano.scalar import basic, basic_scipy, sharedvar


def value(variable, inputs=(), values=()):
    """The value of a scalar graph."""
    return theano.function(list(inputs), variable)(*values)


def test_types_are_equal_by_dtype_and_differ_from_tensors() -> None:
    """`x.type in float_types` is how ops of users ask."""
    assert scal.Scalar("float32") == scal.float32
    assert scal.float32 != scal.float64
    assert scal.float64 != T.dscalar
    assert scal.float64("x").type in scal.float_types
    assert scal.int8("i").type in scal.discrete_types
    assert scal.int8("i").type not in scal.continuous_types
    assert str(scal.int8) == "Scalar(int8)"
    assert scal.bool("b").type in scal.discrete_types
    assert scal.Scalar("floatX").dtype == theano.config.floatX
    with pytest.raises(TypeError, match="Unsupported dtype"):
        scal.Scalar("object")


def test_constructors_of_several() -> None:
    """One name gives a variable, several a list."""
    x, y = scal.floats("x", "y")
    assert (x.name, y.name, x.dtype) == ("x", "y", "float64")
    assert [v.name for v in scal.ints("ab")] == ["a", "b"]
    assert scal.complexs("z").dtype == "complex128"


def test_operators() -> None:
    """Python's operators on symbolic numbers."""
    x, y = scal.floats("xy")
    i = scal.int32("i")
    results = [x + y, x - 1, 2 * x, x / y, x // y, x % y, x**2, -x, abs(-x), x < y, x >= y]
    f = theano.function([x, y], results)
    expected = [5.5, 1.5, 5.0, 2.5 / 3.0, 0.0, 2.5, 6.25, -2.5, 2.5, True, False]
    np.testing.assert_allclose(f(2.5, 3.0), expected)
    bits = theano.function([i], [i & 6, i | 1, i ^ 3, ~i, divmod(i, 3)[1]])
    assert [int(v) for v in bits(4)] == [4, 5, 7, -5, 1]
    assert (i + 1).dtype == "int32"
    assert (i / 2).dtype == theano.config.floatX
    assert x.zeros_like().dtype == "float64"
    assert i.ones_like(dtype="float32").dtype == "float32"
    assert x.astype("int8").dtype == "int8"


def test_names_of_ops() -> None:
    """Elementwise ops show the ops of this module, and their classes."""
    for name, class_name in {
        "add": "Add", "mul": "Mul", "exp": "Exp", "sqr": "Sqr", "identity": "Identity",
        "second": "Second", "switch": "Switch", "clip": "Clip", "abs_": "Abs", "sgn": "Sgn",
        "int_div": "IntDiv", "true_div": "TrueDiv", "and_": "AND", "eq": "EQ", "pow": "Pow",
        "erf": "Erf", "gammaln": "GammaLn", "chi2sf": "Chi2SF", "arctan2": "ArcTan2",
    }.items():  # fmt: skip
        op = getattr(scal, name)
        assert isinstance(op, getattr(scal, class_name))
        assert str(op) == name
        symbolic = getattr(T, {"identity": "tensor_copy"}.get(name, name))
        assert symbolic.scalar_op is op
        assert T.Elemwise(op) == symbolic
    assert T.cast(T.ivector(), "float32").owner.op.scalar_op == scal.convert_to_float32
    assert scal.maximum is scal.scalar_maximum
    assert issubclass(basic_scipy.Psi, basic.UnaryScalarOp)
    assert basic.Identity is scal.Identity
    assert sharedvar.shared(1.0).get_value() == 1.0


def test_ops_compute_on_numbers() -> None:
    """`impl` of the library's ops, and types of their results."""
    assert scal.exp.impl(0.0) == 1.0
    assert scal.clip.impl(5.0, 0.0, 1.0) == 1.0
    assert scal.switch.impl(True, 2.0, 3.0) == 2.0
    assert scal.sgn(scal.float32("x")).dtype == "float32"
    assert scal.upcast("int8", "float32") == "float32"
    x = scal.float64("x")
    got = (
        value(scal.inclosedrange(x, 0, 1), [x], [1.0]),
        value(scal.inopenrange(x, 0, 1), [x], [1.0]),
    )
    assert [bool(v) for v in got] == [True, False]
    assert scal.int_or_true_div(True, True) is scal.true_div
    with pytest.raises(ComplexError):
        scal.mod_check(scal.complexs("z"), 1)
    with pytest.raises(TypeError, match="ambiguous"):
        scal.convert_to_float32(scal.complexs("z"))


@pytest.mark.parametrize(
    ("preference", "inputs", "output"),
    [
        ("upcast_out", ("int8", "float32"), "float32"),
        ("same_out", ("int8",), "int8"),
        ("upgrade_to_float", ("int32",), "float64"),
        ("upgrade_to_float", ("int8",), "float32"),
        ("upgrade_to_float64", ("int8",), "float64"),
        ("upgrade_to_float_no_complex", ("float32",), "float32"),
        ("bool_out", ("float32", "float32"), "bool"),
        ("int_out", ("float32",), "int64"),
        ("float_out", ("int8",), "float64"),
        ("upcast_out_min8", ("bool",), "int8"),
    ],
)
def test_preferences(preference: str, inputs: tuple[str, ...], output: str) -> None:
    """From input types to output types."""
    rule = getattr(scal, preference)
    assert rule(*map(scal.get_scalar_type, inputs)) == (scal.get_scalar_type(output),)


def test_preferences_with_parameters() -> None:
    """transfer_type, specific_out, unary_out_lookup."""
    assert scal.transfer_type(1, None)(scal.int8, scal.float32) == (scal.float32, scal.float32)
    assert scal.transfer_type(0) == scal.transfer_type(0)
    assert scal.specific_out(scal.int64)(scal.float32) == (scal.int64,)
    table = scal.unary_out_lookup({scal.int8: scal.float32})
    assert table(scal.int8) == (scal.float32,)
    with pytest.raises(TypeError, match="not defined"):
        table(scal.int16)
    with pytest.raises(TypeError, match="bool"):
        scal.same_out_nobool(scal.bool)
    with pytest.raises(TypeError, match="function from input"):
        scal.Add("float32")


def test_a_class_called_with_a_preference() -> None:
    """As pymc3 makes its gammaln."""
    op = scal.GammaLn(scal.upgrade_to_float, name="scalar_gammaln")
    gammaln = T.Elemwise(op, name="gammaln")
    x = T.dvector("x")
    f = theano.function([x], [gammaln(x), theano.grad(gammaln(x).sum(), x)])
    np.testing.assert_allclose(f([1.0, 3.0]), [[0.0, np.log(2.0)], [-0.57721566, 0.92278434]])
    assert str(gammaln) == "gammaln"
    narrow = T.Elemwise(scal.Add(scal.transfer_type(0), name="narrow"))
    assert narrow(T.fvector(), T.dvector()).dtype == "float32"
    assert T.add(T.fvector(), T.dvector()).dtype == "float64"


def test_constants_and_conversions() -> None:
    """`constant`, `as_scalar`, and to and from 0-d tensors."""
    assert scal.constant(1).dtype == "int8"
    assert scal.as_scalar(0.5).type == scal.get_scalar_type(T.constant(0.5).dtype)
    assert scal.constant(2).equals(scal.constant(2))
    x = T.dscalar("x")
    number = T.scalar_from_tensor(x)
    assert number.type == scal.float64
    assert T.tensor_from_scalar(number).type == T.dscalar
    assert scal.as_scalar(x).type == scal.float64
    assert T.as_tensor_variable(number).type == T.dscalar
    with pytest.raises(TypeError, match="0-d"):
        scal.as_scalar(T.dvector())
    with pytest.raises(TypeError, match="scalar"):
        scal.constant([1, 2])


def test_scalars_meet_tensors() -> None:
    """Expressions of both compile, and have gradients."""
    s, v = scal.float64("s"), T.dvector("v")
    y = T.exp(s) * v + s
    assert y.type == T.dvector
    f = theano.function([s, v], [y, theano.grad(y.sum(), s)])
    got = f(1.0, [1.0, 2.0])
    np.testing.assert_allclose(got[0], np.e * np.array([1.0, 2.0]) + 1)
    np.testing.assert_allclose(got[1], np.e * 3 + 2)


def test_gradient_of_scalar_graphs() -> None:
    """The ops' own gradients, on scalars."""
    x, y = scal.floats("xy")
    cost = scal.exp(x * y) + scal.switch(x < y, x, y)
    grads = theano.grad(cost, [x, y])
    f = theano.function([x, y], grads)
    e = np.exp(2.0)
    np.testing.assert_allclose(f(1.0, 2.0), [2 * e + 1, e])


def test_composite() -> None:
    """A graph of scalar ops as one op: value, kernel code, gradient, equality."""
    x, y = scal.floats("xy")
    op = scal.Composite([x, y], [scal.exp(x) * y + 1])
    again = scal.Composite([y, x], [scal.exp(y) * x + 1])
    assert op == again
    assert hash(op) == hash(again)
    assert op != scal.Composite([x, y], [scal.exp(x) * y + 2])
    assert op.impl(0.0, 3.0) == 4.0
    both = T.Elemwise(op)
    assert both.lowering == "map"
    a, b = T.dvectors("ab")
    f = theano.function([a, b], both(a, b))
    np.testing.assert_allclose(f([0.0, 1.0], [3.0, 1.0]), [4.0, np.e + 1])
    point = [np.array([0.3, -0.5]), np.array([1.5, 0.2])]
    theano.gradient.verify_grad(both, point, rng=np.random.RandomState(1))
    assert both(T.fvector(), T.fvector()).dtype == "float32"


def test_composite_of_several_outputs_and_bad_ones() -> None:
    """Several outputs on scalars; what is missing or is no scalar op is named."""
    x, y = scal.floats("xy")
    op = scal.Composite([x, y], [x + y, x * y])
    f = theano.function([x, y], op(x, y))
    assert [float(v) for v in f(2.0, 3.0)] == [5.0, 6.0]
    v, w = T.dvectors("v", "w")
    g = theano.function([v, w], T.Elemwise(op)(v, w))
    assert [part.tolist() for part in g([2.0], [3.0])] == [[5.0], [6.0]]
    with pytest.raises(ValueError, match="not among its inputs"):
        scal.Composite([x], [x + y])
    with pytest.raises(TypeError, match="scalar ops"):
        scal.Composite([x], [scal.as_scalar(T.exp(x))])


def test_pickle_and_copy() -> None:
    """Ops, types and elementwise ops survive."""
    gammaln = T.Elemwise(scal.GammaLn(scal.upgrade_to_float))
    for item in (scal.add, scal.float32, T.exp, gammaln, scal.convert_to_int8):
        assert pickle.loads(pickle.dumps(item)) == item
        assert copy.deepcopy(item) == item


def test_autocasters() -> None:
    """The dtype of literals."""
    assert scal.autocast_int(300).dtype == "int16"
    assert scal.autocast_float(0.5).dtype == "float16"
    assert scal.convert(0.1, "float32").dtype == "float32"
    with pytest.raises(TypeError, match="does not hold"):
        scal.convert(300, "int8")
    with scal.autocast_float_as("float32"):
        assert (T.fvector() + 0.1).dtype == "float32"
    assert (T.fvector() + 0.1).dtype == "float64"


def test_inplace_names_are_the_ops() -> None:
    """Old code imports them; values are never changed in place."""
    from theano.tensor import inplace

    assert inplace.exp_inplace is T.exp
    assert inplace.add_inplace is T.add
    assert inplace.abs__inplace is T.abs_
    assert inplace.fill_inplace is T.fill
    data = np.array([[1.0, 2.0]])
    x = T.dmatrix("x")
    f = theano.function([x], inplace.transpose_inplace(inplace.exp_inplace(x)))
    np.testing.assert_allclose(f(data), np.exp([[1.0], [2.0]]))
    assert data.tolist() == [[1.0, 2.0]]
