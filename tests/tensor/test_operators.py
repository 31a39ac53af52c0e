"""What operators and methods of symbolic arrays mean, and what they refuse."""

import operator

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.core.config import change_flags
from theano.core.errors import ComplexError


def value(variable, **inputs):
    return variable.eval(inputs)


# ---- identity, truth, iteration (trap 6)


def test_equality_is_identity():
    x, y = T.vectors("xy")
    assert (x == x) is True
    assert (x == y) is False
    assert (x != y) is True
    assert x in {x: 1}
    assert y not in {x: 1}
    assert [y, x].index(x) == 1
    assert (np.ones(3) == x) is False


def test_eq_is_symbolic():
    x = T.vector("x")
    same = T.eq(x, 2)
    assert same.dtype == "bool"
    assert bool(same)
    np.testing.assert_array_equal(same.eval({x: [1, 2]}), [False, True])


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_comparisons_are_symbolic_and_have_no_truth(compare):
    x, y = T.vectors("xy")
    result = compare(x, y)
    assert result.dtype == "bool"
    with pytest.raises(TypeError, match="Variables do not support boolean operations"):
        bool(result)
    a, b = [1.0, 2.0, 3.0], [2.0, 2.0, 2.0]
    np.testing.assert_array_equal(result.eval({x: a, y: b}), compare(np.array(a), np.array(b)))


def test_chained_comparison_raises_and_if_does_not():
    x = T.scalar("x")
    assert bool(x)
    with pytest.raises(TypeError, match="boolean"):
        1 < x < 2  # noqa: B015


def test_numpy_comparisons_have_no_truth_either():
    with pytest.raises(TypeError, match="boolean"):
        bool(np.float64(1) < T.scalar())


def test_no_length():
    with pytest.raises(TypeError, match="len"):
        len(T.vector())


def test_iteration_needs_a_known_length():
    for variable in (T.vector("x"), T.matrix("x")):
        with pytest.raises(TypeError, match="does not support iteration"):
            iter(variable)
    with pytest.raises(TypeError, match="theano"):
        sum(T.vector())


def test_shape_unpacks():
    x = T.tensor3("x")
    a, b, c = x.shape
    sizes = T.stack([c, b, a, x.shape[-1]]).eval({x: np.zeros((2, 3, 4))})
    np.testing.assert_array_equal(sizes, [4, 3, 2, 4])
    assert len(tuple(x.shape[:2])) == 2
    assert x.shape.dtype == "int64"
    assert x.size.eval({x: np.zeros((2, 3, 4))}) == 24


def test_users_may_set_attributes():
    x = T.matrix()
    x._keras_shape = (None, 2)
    x.tag.note = "mine"
    assert x._keras_shape == (None, 2)


# ---- arithmetic


BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow,
]  # fmt: skip


@pytest.mark.parametrize("op", BINARY)
def test_arithmetic_either_way_round(op):
    x = T.dvector("x")
    data = np.array([1.5, 2.0, 3.5])
    np.testing.assert_allclose(op(x, 2.0).eval({x: data}), op(data, 2.0))
    np.testing.assert_allclose(op(2.0, x).eval({x: data}), op(2.0, data))
    np.testing.assert_allclose(op(x, data).eval({x: data}), op(data, data))
    np.testing.assert_allclose(op(data, x).eval({x: data}), op(data, data))
    np.testing.assert_allclose(op(np.float64(2), x).eval({x: data}), op(2.0, data))


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor])
def test_bitwise(op):
    x, data = T.ivector("x"), np.array([6, 5, -1], "int32")
    np.testing.assert_array_equal(op(x, np.int32(3)).eval({x: data}), op(data, 3))
    np.testing.assert_array_equal(op(np.int32(3), x).eval({x: data}), op(3, data))
    b = T.vector("b", dtype="bool")
    assert op(b, b).dtype == "bool"
    with pytest.raises(TypeError):
        op(T.dvector(), T.dvector())


@pytest.mark.parametrize("op", [operator.lshift, operator.rshift])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_shifts(op, dtype):
    x = T.vector("x", dtype=dtype)
    n = T.vector("n", dtype=dtype)
    data = np.array([6, 100, 1, 0], dtype)
    counts = np.array([1, 3, 0, 7], dtype)
    for mode in ("FAST_RUN", "FAST_COMPILE"):
        f = theano.function([x, n], [op(x, n), op(x, np.array(2, dtype)), op(1, n)], mode=mode)
        wanted = [op(data, counts), op(data, np.array(2, dtype)), op(np.array(1, dtype), counts)]
        for found, right in zip(f(data, counts), wanted, strict=True):
            np.testing.assert_array_equal(found, right)
    assert op(x, n).dtype == dtype


def test_shifts_far_and_of_negative_numbers():
    x, data = T.ivector("x"), np.array([-8, 5], "int32")
    for mode in ("FAST_RUN", "FAST_COMPILE"):
        f = theano.function([x], [x << 1, x >> 1, x << 40, x >> 40, x >> -1], mode=mode)
        assert [v.tolist() for v in f(data)] == [[-16, 10], [-4, 2], [0, 0], [-1, 0], [-1, 0]]
    assert (T.vector(dtype="bool") << 1).dtype == "int8"
    assert (T.vector(dtype="uint64") >> 1).dtype == "uint64"
    assert T.left_shift is T.bitwise_left_shift
    np.testing.assert_array_equal(np.right_shift(x, 1).eval({x: data}), data >> 1)
    theano.grad((x >> 1).sum() * 1.0, x, disconnected_inputs="ignore")
    for bad in (T.dvector(), T.zvector()):
        with pytest.raises(TypeError, match="bits of integers"):
            bad << 1
        with pytest.raises(TypeError, match="bits of integers"):
            x >> bad


def test_invert():
    x, b = T.bvector("x"), T.vector("b", dtype="bool")
    np.testing.assert_array_equal((~x).eval({x: np.array([0, 5], "int8")}), [-1, -6])
    result = (~b).eval({b: np.array([True, False])})
    np.testing.assert_array_equal(result, [False, True])
    assert result.dtype == bool


def test_divmod_neg_abs_pos():
    x, data = T.dvector("x"), np.array([-3.5, 4.0])
    for got, wanted in zip(divmod(x, 2.0), divmod(data, 2.0), strict=True):
        np.testing.assert_allclose(got.eval({x: data}), wanted)
    np.testing.assert_allclose((-x).eval({x: data}), -data)
    np.testing.assert_allclose(abs(x).eval({x: data}), abs(data))
    assert +x is x


def test_in_place_operators_rebind():
    x = T.vector("x")
    y = x
    y += 1
    assert y is not x
    assert x.owner is None


def test_minus_of_bool_raises():
    b = T.vector("b", dtype="bool")
    with pytest.raises(TypeError):
        operator.neg(b)
    with pytest.raises(TypeError):
        operator.sub(b, b)
    assert (b + b).dtype == "bool"
    assert (b**b).dtype == "int8"


def test_complex_floor_division_raises():
    z = T.zvector()
    for op in (operator.mod, operator.floordiv):
        with pytest.raises(ComplexError):
            op(z, z)


def test_python_bool_is_refused():
    with pytest.raises(TypeError):
        T.vector() + True


# ---- dtypes of results (traps 1 to 4)


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_true_division_of_ints_gives_floatx(floatx):
    with change_flags(floatX=floatx):
        assert (T.iscalar() / T.iscalar()).dtype == floatx
        assert (T.lvector() / 2).dtype == floatx


def test_float_literals_take_the_dtype_that_holds_them():
    x = T.fvector()
    assert (x + 0.5).dtype == "float32"
    assert (x + 0.1).dtype == "float64"
    with change_flags(floatX="float32"):
        assert (x + 0.1).dtype == "float32"
    assert (x * np.float64(0.5)).dtype == "float64"


def test_int_literals_take_the_smallest_dtype():
    assert (T.iscalar() + 1).dtype == "int32"
    assert (T.bscalar() + 1).dtype == "int8"
    assert (T.bscalar() + 1000).dtype == "int16"
    power = T.pow(2, 7)
    assert power.dtype == "int8"
    assert power.eval() == -128


def test_uint8_plus_literal_is_int16():
    shared = theano.shared(np.array([1, 2], dtype="uint8"))
    assert (shared + 0).dtype == "int16"


def test_ints_and_floats_promote_as_arrays():
    assert (T.ivector() * T.fvector()).dtype == "float64"
    assert (T.wvector() * T.fvector()).dtype == "float32"


# ---- floatX at run time (trap 25)


def test_floatx_at_run_time():
    before = T.matrix()
    with change_flags(floatX="float32"):
        after = T.matrix()
        assert before.dtype == "float64"
        assert after.dtype == "float32"
        assert T.zeros((2,)).dtype == "float32"
    assert T.zeros((2,)).dtype == "float64"


# ---- methods


ELEMENTWISE = [
    "arccos", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "cos", "cosh", "deg2rad", "exp",
    "exp2", "expm1", "floor", "log", "log10", "log1p", "log2", "rad2deg", "sin", "sinh", "sqrt",
    "tan", "tanh", "trunc", "conj", "conjugate",
]  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_methods(name):
    x, data = T.dvector("x"), np.array([0.1, 0.5, 0.9])
    wanted = getattr(np, name)(data)
    np.testing.assert_allclose(getattr(x, name)().eval({x: data}), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    "name", ["sum", "prod", "mean", "var", "std", "min", "max", "argmin", "argmax", "any", "all"]
)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_reduction_methods(name, axis):
    x, data = T.dmatrix("x"), np.array([[3.0, 0.0, 2.0], [1.0, 5.0, 4.0]])
    got = getattr(x, name)(axis=axis)
    np.testing.assert_allclose(got.eval({x: data}), getattr(data, name)(axis=axis))
    kept = getattr(x, name)(axis=axis, keepdims=True)
    assert kept.eval({x: data}).shape == getattr(data, name)(axis=axis, keepdims=True).shape


METHODS = [
    (lambda x: x.T, lambda a: a.T),
    (lambda x: x.transpose(), lambda a: a.T),
    (lambda x: x.transpose(1, 0), lambda a: a.T),
    (lambda x: x.transpose((1, 0)), lambda a: a.T),
    (lambda x: x.swapaxes(0, 1), lambda a: a.T),
    (lambda x: x.dimshuffle(1, "x", 0), lambda a: a.T[:, None, :]),
    (lambda x: x.dimshuffle((1, 0)), lambda a: a.T),
    (lambda x: x.reshape((3, 2)), lambda a: a.reshape(3, 2)),
    (lambda x: x.reshape((-1,)), lambda a: a.ravel()),
    (lambda x: x.flatten(), lambda a: a.ravel()),
    (lambda x: x.ravel(), lambda a: a.ravel()),
    (lambda x: x.astype("int32"), lambda a: a.astype("int32")),
    (lambda x: x.clip(1, 3), lambda a: a.clip(1, 3)),
    (lambda x: x.round(), lambda a: a.round()),
    (lambda x: x.zeros_like(), np.zeros_like),
    (lambda x: x.ones_like(), np.ones_like),
    (lambda x: x.fill(np.float64(7)), lambda a: np.full_like(a, 7)),
    (lambda x: x.ptp(), np.ptp),
    (lambda x: x.norm(2), np.linalg.norm),
    (lambda x: x.copy(), lambda a: a),
    (lambda x: x[1], lambda a: a[1]),
    (lambda x: x[:, ::-1], lambda a: a[:, ::-1]),
    (lambda x: x.repeat(2, axis=1), lambda a: a.repeat(2, axis=1)),
    (lambda x: x.dot(x.T), lambda a: a @ a.T),
    (lambda x: x @ x.T, lambda a: a @ a.T),
    (lambda x: theano.dot(x, x.T), lambda a: a @ a.T),
    (lambda x: x.diagonal(), lambda a: a.diagonal()),
    (lambda x: x.trace(), lambda a: a.trace()),
]


@pytest.mark.parametrize(("ours", "numpys"), METHODS)
def test_methods(ours, numpys):
    x, data = T.dmatrix("x"), np.array([[3.0, 0.5, 2.0], [1.0, 5.0, 4.0]])
    got = ours(x).eval({x: data})
    np.testing.assert_allclose(got, numpys(data))
    assert got.dtype == numpys(data).dtype


def test_norms_that_are_not_implemented():
    for order in (0, np.inf):
        with pytest.raises(NotImplementedError):
            T.vector().norm(order)


def test_item_assignment_names_set_subtensor():
    with pytest.raises(TypeError, match="set_subtensor"):
        T.vector()[0] = 1


# ---- NumPy's functions


def test_numpy_functions_build_graph():
    x, data = T.dmatrix("x"), np.array([[3.0, 0.5], [1.0, 5.0]])
    for function in (np.exp, np.absolute, np.square, np.sum, np.mean, np.max):
        np.testing.assert_allclose(function(x).eval({x: data}), function(data))
    np.testing.assert_allclose(np.add(x, data).eval({x: data}), data + data)
    assert np.ndim(x) == 2


def test_no_conversion_into_an_array():
    with pytest.raises(TypeError, match="symbolic"):
        np.asarray(T.vector("x"))


def test_unknown_numpy_function_is_a_type_error():
    with pytest.raises(TypeError):
        np.heaviside(T.vector(), 0.5)


# ---- eval


def test_eval_of_constants_and_shared():
    w = theano.shared(np.array([1.0, 2.0]))
    assert (w.sum() * 2).eval() == 6.0


def test_eval_with_an_intermediate_variable():
    x = T.dscalar("x")
    y = x + 1
    assert (y * 2).eval({y: 5.0}) == 10.0


def test_every_builder_that_methods_name_exists():
    from theano.graph import numpy_protocols, registry

    names = [n for n in numpy_protocols.UFUNCS.values() if isinstance(n, str)]
    missing = [n for n in names if not registry.known(n)]
    assert missing == []


def test_bits_without_an_integer_dtype_in_common_are_refused():
    unsigned, signed = (T.TensorType(d, (False,))() for d in ("uint64", "int16"))
    for combine in (T.or_, T.and_, T.xor):
        with pytest.raises(TypeError, match="uint64 and int16 have no integer dtype in common"):
            combine(unsigned, signed)
    assert (unsigned | T.cast(signed, "uint64")).type.dtype == "uint64"
