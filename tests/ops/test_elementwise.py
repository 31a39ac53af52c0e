"""Elementwise ops: dtype rules, values, broadcasting by type, gradients, errors."""

from __future__ import annotations

import pickle

import cases
import numpy as np
import pytest

import theano.ops.elementwise as E
from theano.autodiff.reverse import grad
from theano.core.config import change_flags
from theano.core.errors import AsTensorError
from theano.graph.null_types import NullType
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable, constant
from theano.ops.reduce import sum as sum_of

CASES = cases.cases()
NATIVE = [row for row in E.ROWS.values() if row.body]


def float_function(row) -> bool:
    """Whether the row maps float64 to float64."""
    given = ("float64",) * cases.arity(row)
    return cases.accepts(row, given) and row.output_dtype(given) == "float64"


# The gradient of ultra_fast_sigmoid is, by design, that of the function it approximates.
DIFFERENTIABLE = [
    row for row in NATIVE if row.grad and float_function(row) and row.name != "ultra_fast_sigmoid"
]
ROUGH = ("int_div", "jv", "iv", "psi", "gammainc", "gammaincc", "gammau", "gammal", "chi2sf")
SMOOTH = [row for row in DIFFERENTIABLE if row.name not in ROUGH]
ON_FLOATS = [
    (row, dtype) for row in NATIVE for dtype in ("float32", "float64")
    if cases.accepts(row, (dtype,) * cases.arity(row))
]  # fmt: skip


def variable(dtype: str, pattern: tuple[bool, ...] = (False, False), name: str = "x"):
    return TensorType(dtype, pattern)(name)


# values ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=str)
def test_body_means_what_the_reference_says(case):
    values = case.values()
    output = case.op(*cases.variables(values)).dtype
    expected = case.row.evaluate(values, output)
    if case.row.body is None:
        assert case.row.why
        return
    cases.close(cases.run_body(case.row, values, output), expected, output)


@pytest.mark.parametrize(("row", "dtype"), ON_FLOATS, ids=str)
def test_body_and_reference_agree_on_special_values(row, dtype):
    n = cases.arity(row)
    grid = np.meshgrid(*[np.array(cases.SPECIAL, dtype)] * n)
    values = [g.ravel() for g in grid]
    output = row.output_dtype((dtype,) * n)
    with np.errstate(all="ignore"):
        got, expected = cases.run_body(row, values, output), row.evaluate(values, output)
    if row.name in ("mod", "int_div"):
        ok = np.isfinite(values[0]) & np.isfinite(values[1]) & (values[1] != 0)
        got, expected = got[ok], expected[ok]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("row", NATIVE, ids=str)
@pytest.mark.parametrize("linker", cases.LINKERS)
def test_compiled_values(linker, row):
    """All dtypes of a row in one function, with tails that no vector width divides."""
    inputs, outputs, values, expected = [], [], [], []
    for case in (c for c in CASES if c.row is row):
        given = case.values((3, 37))
        x = cases.variables(given)
        inputs += x
        values += given
        outputs.append(case.op(*x))
        expected.append(case.row.evaluate(given, outputs[-1].dtype))
    got = cases.compiled(linker)(inputs, outputs, values)
    for one, two in zip(got, expected, strict=True):
        cases.close(one, two, two.dtype.name, scale=5.0)


ORACLE = {
    "add": lambda x, y, z: x + y + z, "mul": lambda x, y, z: x * y * z, "sub": np.subtract,
    "true_div": np.divide, "pow": np.power, "arctan2": np.arctan2, "maximum": np.maximum,
    "int_div": np.floor_divide, "mod": np.mod, "inv": lambda x: 1 / x, "sqr": np.square,
    "sgn": np.sign, "abs_": np.abs, "arcsin": np.arcsin, "expm1": np.expm1, "log1p": np.log1p,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softplus": lambda x: np.log(1 + np.exp(x)),
    "clip": lambda x, lo, hi: np.clip(x, lo, hi), "switch": lambda c, x, y: np.where(c, x, y),
    "round_half_to_even": np.round, "trunc": np.trunc, "deg2rad": np.radians,
    "sigmoid_binary_crossentropy": lambda x, t: -(
        t * np.log(1 / (1 + np.exp(-x))) + (1 - t) * np.log(1 - 1 / (1 + np.exp(-x)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ORACLE)
def test_value_is_the_textbook_formula(name):
    row = E.ROWS[name]
    case = cases.Case(row, ("float64",) * cases.arity(row))
    values = case.values()
    x = cases.variables(values)
    (got,) = cases.evaluate(x, [case.op(*x)], values)
    np.testing.assert_allclose(got, ORACLE[name](*values), rtol=1e-9)


# gradients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=str)
def test_gradient_is_the_difference_quotient(row):
    n = cases.arity(row)
    values = cases.Case(row, ("float64",) * n).values()
    xs = cases.variables(values)
    z = E.OPS[row.name](*xs)
    g = variable("float64", name="g")
    terms = z.owner.op.L_op(xs, [z], [g])
    weights = np.random.default_rng(5).uniform(0.5, 1.5, values[0].shape)
    smooth = row.name not in ("int_div", "switch")
    for i, (term, numeric) in enumerate(
        zip(terms, cases.numeric_partials(row, values), strict=True)
    ):
        if i in row.disconnected or isinstance(term.type, NullType):
            continue
        (got,) = cases.evaluate([*xs, g], [term], [*values, weights])
        if smooth or i:
            np.testing.assert_allclose(got, weights * numeric, rtol=2e-4, atol=1e-6)
        assert term.dtype == "float64"


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=str)
def test_r_op_agrees_with_l_op(row):
    n = cases.arity(row)
    values = cases.Case(row, ("float64",) * n).values()
    xs = cases.variables(values)
    z = E.OPS[row.name](*xs)
    ones = E.fill(z, 1.0)
    terms = z.owner.op.L_op(xs, [z], [ones])
    known = [
        i for i, term in enumerate(terms)
        if i not in row.disconnected and not isinstance(term.type, NullType)
    ]  # fmt: skip
    direction = [E.fill(x, 0.5 + i) if i in known else None for i, x in enumerate(xs)]
    (along,) = z.owner.op.R_op(xs, direction)
    total = E.add(*(terms[i] * (0.5 + i) for i in known))
    got, expected = cases.evaluate(xs, [along, total], values)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("row", SMOOTH, ids=str)
def test_gradient_of_the_gradient_exists_where_the_functions_are_smooth(row):
    n = cases.arity(row)
    values = cases.Case(row, ("float64",) * n).values((5,))
    xs = cases.variables(values)
    x = xs[-1]
    first = grad(sum_of(E.OPS[row.name](*xs)), x, disconnected_inputs="ignore")
    second = grad(sum_of(first), x, disconnected_inputs="ignore")
    step = 1e-5
    (at,) = cases.evaluate(xs, [second], values)
    up = cases.evaluate(xs, [first], [*values[:-1], values[-1] + step])[0]
    down = cases.evaluate(xs, [first], [*values[:-1], values[-1] - step])[0]
    np.testing.assert_allclose(at, (up - down) / (2 * step), rtol=1e-4, atol=1e-5)


def test_gradient_sums_over_dimensions_stretched_by_type():
    x, row = variable("float64"), variable("float64", (True, False), "row")
    gx, grow = grad(sum_of(x * row), [x, row])
    assert grow.broadcastable == (True, False)
    a, b = np.arange(6.0).reshape(2, 3), np.ones((1, 3)) * 2
    values = cases.evaluate([x, row], [gx, grow], [a, b])
    np.testing.assert_array_equal(values[0], np.full((2, 3), 2.0))
    np.testing.assert_array_equal(values[1], a.sum(0, keepdims=True))


@pytest.mark.parametrize(
    ("build", "at", "expected"),
    [
        (lambda x: E.abs_(x), 0.0, 0.0),
        (lambda x: E.maximum(x, 1.0), 1.0, 1.0),
        (lambda x: E.maximum(1.0, x), 1.0, 0.0),
        (lambda x: E.minimum(x, 1.0), 1.0, 1.0),
        (lambda x: E.clip(x, 0.0, 1.0), 0.0, 1.0),
        (lambda x: E.clip(x, 0.0, 1.0), 1.0, 1.0),
        (lambda x: E.clip(0.5, x, 1.0), 0.5, 0.0),
        (lambda x: E.clip(-1.0, x, 1.0), 0.5, 1.0),
        (lambda x: E.pow(0.0, x), 2.0, 0.0),
        (lambda x: E.sqrt(x), 0.0, np.inf),
        (lambda x: E.floor(x), 0.3, 0.0),
        (lambda x: E.sgn(x), 0.3, 0.0),
        (lambda x: x // 2.0, 0.3, 0.0),
    ],
)
def test_gradient_at_the_edges(build, at, expected):
    x = variable("float64", ())
    (got,) = cases.evaluate([x], [grad(build(x), x)], [np.array(at)])
    assert got == expected


def test_gradient_in_an_integer_is_a_float_and_discrete_results_give_zeros():
    n = variable("int32", (False,), "n")
    assert grad(sum_of(n * 2.0), n).dtype == "float64"
    (term,) = E.sqr(n).owner.op.L_op([n], [E.sqr(n)], [variable("float64", (False,), "g")])
    with change_flags(floatX="float32"):
        (zero,) = E.sqr(n).owner.op.L_op([n], [E.sqr(n)], [term])
    assert zero.dtype == "float32"


# dtypes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "inputs", "output"),
    [
        (E.add, ("int32", "float32"), "float64"), (E.mul, ("int16", "float32"), "float32"),
        (E.add, ("uint8", "int8"), "int16"), (E.add, ("uint64", "int64"), "float64"),
        (E.add, ("bool", "bool"), "bool"), (E.mul, ("bool", "bool"), "bool"),
        (E.pow, ("bool", "bool"), "int8"), (E.conj, ("bool",), "int8"),
        (E.int_div, ("int32", "int8"), "int32"), (E.mod, ("uint8", "uint8"), "uint8"),
        (E.true_div, ("int8", "int8"), "float64"), (E.true_div, ("int8", "float32"), "float32"),
        (E.exp, ("int8",), "float32"), (E.exp, ("uint16",), "float32"),
        (E.exp, ("int32",), "float64"), (E.exp, ("bool",), "float32"),
        (E.log, ("float16",), "float16"), (E.sigmoid, ("int8",), "float32"),
        (E.inv, ("int64",), "float64"), (E.sqr, ("int8",), "int8"),
        (E.ceil, ("int8",), "float32"), (E.floor, ("float32",), "float32"),
        (E.abs_, ("complex64",), "float32"), (E.angle, ("complex64",), "float64"),
        (E.real, ("complex128",), "float64"), (E.imag, ("complex64",), "float32"),
        (E.complex, ("float32", "float32"), "complex64"),
        (E.chi2sf, ("float32", "float32"), "float64"),
        (E.lt, ("int8", "float64"), "bool"), (E.eq, ("bool", "int8"), "bool"),
        (E.switch, ("float64", "int8", "float32"), "float32"),
        (E.clip, ("float32", "int8", "int8"), "float32"),
        (E.and_, ("bool", "int8"), "int8"), (E.invert, ("bool",), "bool"),
        (E.second, ("float64", "int8"), "int8"), (E.sgn, ("int8",), "int8"),
        (E.maximum, ("int64", "float32"), "float64"), (E.erf, ("int8",), "float32"),
    ],
)  # fmt: skip
def test_dtype_rule(op, inputs, output):
    assert op(*(variable(d) for d in inputs)).dtype == output


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        (E.sub, ("bool", "bool")), (E.neg, ("bool",)), (E.and_, ("float32", "float32")),
        (E.invert, ("float64",)), (E.round_half_to_even, ("int32",)),
        (E.floor, ("complex64",)), (E.clip, ("complex64",) * 3),
    ],
)  # fmt: skip
def test_refused_dtypes_name_the_op(op, inputs):
    with pytest.raises(TypeError, match=op.scalar_op.name):
        op(*(variable(d) for d in inputs))


@pytest.mark.parametrize("floatx", ["float32", "float64"])
def test_integer_division_gives_floatx(floatx):
    n = variable("int64")
    with change_flags(floatX=floatx):
        assert (n / n).dtype == floatx


def test_literals_take_the_dtype_of_their_value():
    x = variable("float32")
    assert (x + 0.5).dtype == "float32"
    assert (x + 0.1).dtype == "float64"
    assert (variable("int32") + 1).dtype == "int32"
    assert (variable("uint8") + 0).dtype == "int16"
    assert (x * np.float64(0.5)).dtype == "float64"
    seventh = E.pow(2, 7)
    assert seventh.dtype == "int8"
    assert cases.evaluate([], [seventh], [])[0] == -128
    with change_flags(floatX="float32"):
        assert (x + 0.1).dtype == "float32"


# broadcasting ------------------------------------------------------------------------------------


def test_sizes_stretch_only_where_the_type_says_so():
    x, y = variable("float64"), variable("float64", name="y")
    with pytest.raises(ValueError, match=r"Input dimension mis-match. \(input\[0\].shape\[1\] = 3"):
        cases.evaluate([x, y], [x + y], [np.ones((2, 3)), np.ones((2, 1))])
    col = variable("float64", (False, True), "c")
    (got,) = cases.evaluate([x, col], [x + col], [np.ones((2, 3)), np.ones((2, 1))])
    assert got.shape == (2, 3)
    assert (col + col).broadcastable == (False, True)
    assert (x + col).broadcastable == (False, False)


def test_lower_ranks_are_padded_on_the_left():
    x, v = variable("float32"), variable("float32", (False,), "v")
    z = x + v
    assert z.owner.inputs[1].broadcastable == (True, False)
    (got,) = cases.evaluate([x, v], [z], [np.ones((2, 3), "f"), np.arange(3, dtype="f")])
    np.testing.assert_array_equal(got, [[1, 2, 3]] * 2)


def test_known_sizes_that_differ_are_refused_when_the_graph_is_built():
    with pytest.raises(ValueError, match="mis-match"):
        E.add(constant(np.ones(3)), constant(np.ones(4)))


def test_empty_and_scalar_arrays():
    x, s = variable("float64"), variable("float64", (), "s")
    (got,) = cases.evaluate([x, s], [E.exp(x) * s], [np.ones((0, 3)), np.array(2.0)])
    assert got.shape == (0, 3)
    (got,) = cases.evaluate([s], [E.exp(s)], [np.array(0.0)])
    assert isinstance(got, np.ndarray)
    assert got.shape == ()


def test_results_never_share_memory_with_inputs():
    x = variable("float64")
    a = np.ones((2, 2))
    outputs = [E.tensor_copy(x), E.real(x), E.add(x), E.second(x, x), E.conj(x)]
    for got in cases.evaluate([x], outputs, [a]):
        assert not np.shares_memory(got, a)


# the rest ----------------------------------------------------------------------------------------


def test_integer_division_by_zero_raises():
    n, d = variable("int32"), variable("int32", name="d")
    for z in (n // d, n % d):
        with pytest.raises(ZeroDivisionError):
            cases.evaluate([n, d], [z], [np.ones((1, 2), "i"), np.array([[1, 0]], "i")])


def test_division_and_modulo_floor():
    n, d = variable("int8"), variable("int8", name="d")
    a, b = np.array([[7, -7, 7, -7]], "int8"), np.array([[3, 3, -3, -3]], "int8")
    quotient, rest = cases.evaluate([n, d], [n // d, n % d], [a, b])
    assert quotient.tolist() == [[2, -3, -3, 2]]
    assert rest.tolist() == [[1, 2, -2, -1]]


def test_clip_prefers_the_lower_bound_and_passes_nan():
    (got,) = cases.evaluate([], [E.clip(np.array([0.0, np.nan]), 2.0, 1.0)], [])
    assert got[0] == 2.0
    assert np.isnan(got[1])


def test_cast():
    x = variable("float64")
    assert E.cast(x, "float64") is x
    assert E.cast(x, "floatX") is x
    assert str(E.cast(x, "int8").owner.op) == "Elemwise{Cast{int8}}"
    a = np.array([[1.7, -1.7, 0.0]])
    got = cases.evaluate([x], [E.cast(x, d) for d in ("int32", "bool", "float16")], [a])
    assert got[0].tolist() == [[1, -1, 0]]
    assert got[1].tolist() == [[True, True, False]]
    assert got[2].dtype == "float16"
    with pytest.raises(TypeError, match="ambiguous"):
        E.cast(variable("complex64"), "float32")


def test_isnan_of_integers_is_false():
    n = variable("int32")
    (got,) = cases.evaluate([n], [E.isnan(n)], [np.ones((2, 2), "i")])
    assert got.dtype == "bool"
    assert not got.any()


def test_isclose_and_allclose_follow_numpy():
    a = np.array([1.0, np.inf, np.nan, -np.inf, 1.0, 1e-9])
    b = np.array([1.0 + 1e-7, np.inf, np.nan, np.inf, 1.1, 0.0])
    x, y = variable("float64", (False,)), variable("float64", (False,), "y")
    for equal_nan in (False, True):
        (got,) = cases.evaluate([x, y], [E.isclose(x, y, equal_nan=equal_nan)], [a, b])
        np.testing.assert_array_equal(got, np.isclose(a, b, equal_nan=equal_nan))
    (got,) = cases.evaluate([x, y], [E.allclose(x, y)], [a, b])
    assert not got


def test_rounding_modes():
    a = np.array([-2.5, -0.5, 0.5, 1.5, 2.5])
    x = variable("float64", (False,))
    outputs = [E.round(x), E.round(x, "half_away_from_zero"), E.iround(x)]
    even, away, whole = cases.evaluate([x], outputs, [a])
    assert even.tolist() == [-2, 0, 0, 2, 2]
    assert away.tolist() == [-3, -1, 1, 2, 3]
    assert whole.dtype == "int64"
    with pytest.raises(Exception, match="not implemented"):
        E.round(x, "up")


def test_complex_numbers_go_through_numpy():
    z, w = variable("complex128", name="z"), variable("complex128", name="w")
    a = np.array([[1 + 2j, -3 + 0.5j]])
    outputs = [z * w, E.abs_(z), E.exp(z), E.conj(z), E.angle(z), E.real(z) + E.imag(z)]
    got = cases.evaluate([z, w], outputs, [a, 2 * a])
    expected = [2 * a * a, np.abs(a), np.exp(a), a.conj(), np.angle(a), a.real + a.imag]
    for one, two in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, two)


def test_gradient_through_complex_products():
    x = variable("float64", (), "x")
    z = E.complex(x, 2 * x)
    cost = E.real(z * z)  # x² - 4 x²
    (got,) = cases.evaluate([x], [grad(cost, x)], [np.array(1.5)])
    assert got == pytest.approx(-6 * 1.5)


def test_ops_pickle_to_equal_ops():
    for op in (E.exp, E.cast_op("int8"), E.second):
        assert pickle.loads(pickle.dumps(op)) == op
    assert E.exp != E.log
    assert hash(E.exp) == hash(pickle.loads(pickle.dumps(E.exp)))


def test_names_print_as_theano_prints_them():
    assert str(E.add) == "Elemwise{add,no_inplace}"
    assert str(E.sigmoid) == "sigmoid"


def test_bools_and_nonsense_do_not_become_tensors():
    x = variable("float64")
    with pytest.raises(AsTensorError, match="True or False"):
        as_tensor_variable(x == 1)
    for nonsense in ("text", object(), {1: 2}):
        with pytest.raises(AsTensorError):
            as_tensor_variable(nonsense)


def test_constants():
    assert constant(3) is constant(3)
    assert constant(3).cached
    assert constant(300) is not constant(300)
    assert constant(2**63).dtype == "uint64"
    assert constant([1, 2]).dtype == "int64"
    assert constant([]).dtype == "float64"
    assert constant(np.ones((1, 3))).broadcastable == (True, False)
    assert constant(3, ndim=2).broadcastable == (True, True)
    assert not np.signbit(constant(0.0).data)
    assert np.signbit(constant(-0.0).data)
    with pytest.raises(ValueError, match="ndim"):
        constant(np.ones((2, 2)), ndim=1)


def test_rank_wanted_of_variables():
    x = variable("float64", (True, False))
    assert as_tensor_variable(x, ndim=1).broadcastable == (False,)
    assert as_tensor_variable(x, ndim=3).broadcastable == (True, True, False)
    with pytest.raises(ValueError, match="non-broadcastable"):
        as_tensor_variable(x, ndim=0)


def test_infer_shape_takes_the_first_size_that_is_not_stretched():
    x, col = variable("float64"), variable("float64", (False, True), "c")
    node = (col + x).owner
    assert node.op.infer_shape(node, [("c0", 1), ("x0", "x1")]) == [("c0", "x1")]
