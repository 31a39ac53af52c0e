"""Scalar ops that users write, wrapped in Elemwise: native where their code can be traced."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.scalar as scal
import theano.tensor as T
from theano.scalar import BinaryScalarOp, ScalarOp, UnaryScalarOp, upcast_out, upgrade_to_float


class Cube(UnaryScalarOp):
    """Traceable, with the older gradient."""

    def impl(self, x):
        return x * x * x

    def grad(self, inputs, output_grads):
        (x,), (g,) = inputs, output_grads
        if x.type in scal.complex_types:
            # a class of a user, written for Theano, refuses complex numbers in this way
            raise NotImplementedError
        return [3 * g * x * x]


class Gauss(UnaryScalarOp):
    """NumPy's functions, and L_op, whose gradient is again differentiable."""

    def impl(self, x):
        return np.exp(-np.square(x))

    def L_op(self, inputs, outputs, output_grads):
        return [-2 * inputs[0] * outputs[0] * output_grads[0]]


class Leaky(UnaryScalarOp):
    """A branch on the value and math.exp: not traceable."""

    def impl(self, x):
        return x if x > 0 else math.exp(x) - 1

    def grad(self, inputs, output_grads):
        x = inputs[0]
        return [output_grads[0] * scal.switch(x > 0, 1, scal.exp(x))]

    def c_code(self, node, name, inputs, outputs, sub):
        raise AssertionError("c_code is not used")


class HookedLeaky(Leaky):
    """The same with kernel code written by hand."""

    def body(self, k, x):
        return k.select(x > 0.0, x, k.exp(x) - 1)


class Hypot(BinaryScalarOp):
    """Two inputs, comparisons, where, abs, powers."""

    def impl(self, x, y):
        size = np.sqrt(x**2 + abs(y) ** 2)
        return np.where((x > 0) & (y != 0.25), size, -size) + (x == 1) * 2

    def grad(self, inputs, output_grads):
        return [output_grads[0] * x for x in inputs]


class Bessel(UnaryScalarOp):
    """A function of SciPy that kernels lack, gradient through other ops of users."""

    nfunc_spec = ("scipy.special.i0e", 1, 1)

    def impl(self, x):
        return scipy.special.i0e(x)

    def grad(self, inputs, output_grads):
        x = inputs[0]
        return (output_grads[0] * (bessel1_scalar(x) - scal.sgn(x) * bessel_scalar(x)),)


class Bessel1(UnaryScalarOp):
    """No gradient."""

    nfunc_spec = ("scipy.special.i1e", 1, 1)

    def impl(self, x):
        return scipy.special.i1e(x)


bessel_scalar = Bessel(upgrade_to_float, name="i0e")
bessel1_scalar = Bessel1(upgrade_to_float, name="i1e")
cube = T.Elemwise(Cube(upgrade_to_float, name="cube"))
gauss = T.Elemwise(Gauss(upgrade_to_float, name="gauss"))
leaky = T.Elemwise(Leaky(upgrade_to_float, name="leaky"))
hooked = T.Elemwise(HookedLeaky(upgrade_to_float, name="hooked"))
hypot = T.Elemwise(Hypot(upgrade_to_float, name="hypot"))
bessel = T.Elemwise(bessel_scalar, name="Elemwise{i0e,no_inplace}")
RNG = np.random.default_rng(0)


def _leaky(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


def _hypot(x, y):
    size = np.hypot(x, y)
    return np.where((x > 0) & (y != 0.25), size, -size) + (x == 1) * 2


UNARY = {
    "cube": (cube, lambda x: x**3), "gauss": (gauss, lambda x: np.exp(-x * x)),
    "leaky": (leaky, _leaky), "hooked": (hooked, _leaky), "bessel": (bessel, scipy.special.i0e),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int32", "float16"])
@pytest.mark.parametrize("linker", ["cvm", "py"])
def test_values_and_dtypes(name: str, dtype: str, linker: str) -> None:
    """Any rank, both backends; results have the dtype that the preference says."""
    op, ref = UNARY[name]
    values = RNG.uniform(-3, 3, (2, 3)).astype(dtype)
    x = T.tensor(dtype, (False, False), "x")
    got = theano.function([x], op(x), mode=theano.Mode(linker=linker))(values)
    wanted = {"int8": "float32", "int32": "float64"}.get(dtype, dtype)
    assert got.dtype == op(x).dtype == wanted
    loose = {"float16": 5e-3, "float32": 1e-5}.get(wanted, 1e-10)
    np.testing.assert_allclose(got, ref(values.astype("float64")), rtol=loose, atol=loose)


@settings(max_examples=8, deadline=None)
@given(
    x=st.lists(st.sampled_from([-2.5, -1.0, 0.0, 1.0, 2.0]), max_size=5),
    rows=st.integers(0, 3),
)
def test_broadcasting_of_two_inputs(x: list[float], rows: int) -> None:
    """A column and a vector, also without elements."""
    y = np.linspace(-0.5, 0.25, rows)[:, None]
    got = HYPOT(np.array(x), y)
    np.testing.assert_allclose(got, _hypot(np.array(x), y), rtol=1e-12, atol=1e-12)


_V, _C = T.dvector("v"), T.dcol("c")
HYPOT = theano.function([_V, _C], hypot(_V, _C))


def test_which_are_native_and_what_explain_says() -> None:
    """Traced and hooked ops are kernel code in one loop; the others are named, with a reason."""
    x = T.dvector("x")
    native = theano.function([x], T.exp(cube(x) + gauss(x) * hooked(x)))
    text = str(theano.explain(native))
    assert "Python steps: none" in text
    assert text.count("launch kernel") == 1
    slow = str(theano.explain(theano.function([x], leaky(x) + bessel(x))))
    assert "leaky" in slow
    assert "Leaky.impl runs in Python: it needs the value of its argument" in slow
    assert "i0e has no kernel code" in slow
    assert leaky.lowering == "python"
    assert hooked.lowering == cube.lowering == "map"


@pytest.mark.parametrize("name", ["cube", "gauss", "leaky", "hooked", "bessel"])
def test_gradients(name: str) -> None:
    """Old grad and new L_op, against finite differences, over broadcast inputs too."""
    op = UNARY[name][0]
    point = np.array([[0.5, -1.25, 2.0]])
    theano.gradient.verify_grad(op, [point], rng=np.random.RandomState(0))
    theano.gradient.verify_grad(
        lambda x, y: op(x) * op(y), [point, np.array(0.5)], rng=np.random.RandomState(0)
    )


@pytest.mark.parametrize("op", [cube, gauss, leaky, hooked])
def test_second_order(op) -> None:
    """The gradient is a graph like any other."""
    point = np.array([0.5, -1.25, 2.0])

    def slope(x):
        return theano.grad(op(x).sum(), x)

    theano.gradient.verify_grad(slope, [point], rng=np.random.RandomState(0))


def test_r_op() -> None:
    """Directional derivatives come from the same gradient."""
    x, d = T.dvectors("x", "d")
    f = theano.function([x, d], theano.gradient.Rop(cube(x), x, d))
    np.testing.assert_allclose(f([1.0, 2.0], [0.5, 1.0]), [1.5, 12.0])


def test_gradient_with_tensor_functions() -> None:
    """T.exp and its like may be used in grad; what is not elementwise is refused."""

    class Own(UnaryScalarOp):
        def impl(self, x):
            return np.exp(x)

        def grad(self, inputs, output_grads):
            return [output_grads[0] * T.exp(inputs[0])]

    class Bad(Own):
        def grad(self, inputs, output_grads):
            return [T.sum(T.stack([inputs[0], output_grads[0]]))]

    x = T.dvector("x")
    own, bad = T.Elemwise(Own(upgrade_to_float)), T.Elemwise(Bad(upgrade_to_float))
    f = theano.function([x], theano.grad(own(x).sum(), x))
    np.testing.assert_allclose(f([0.0, 1.0]), [1.0, np.e])
    with pytest.raises(NotImplementedError, match="not elementwise"):
        theano.grad(bad(x).sum(), x)
    with pytest.raises(NotImplementedError, match="gradient"):
        theano.grad(T.Elemwise(bessel1_scalar)(x).sum(), x)


def test_code_that_cannot_be_traced_on_some_dtypes() -> None:
    """A division of integers is Python code, of floats kernel code."""

    class Half(UnaryScalarOp):
        def impl(self, x):
            return x / 2

    op = T.Elemwise(Half(scal.int_out))
    i = T.ivector("i")
    assert op(i).owner.op.lowering == "python"
    assert theano.function([i], op(i))([4, 7]).tolist() == [2, 3]
    assert T.Elemwise(Half(upgrade_to_float))(i).owner.op.lowering == "map"


class Pieces(BinaryScalarOp):
    """Branches, nested and chained, and Python's max."""

    def impl(self, x, y):
        if -1 < x <= 1 and y != 0.5:
            return max(x, y) if y > 0 else -abs(x)
        if not x > 2:
            x = min(x, y) * 2
        return x + 1 if x in (2.0, -4.0) else np.exp(-x * x)


class Root(UnaryScalarOp):
    """A loop until a value is small."""

    def impl(self, x):
        guess = 1.0
        while abs(guess * guess - x) > 1e-12:
            guess = 0.5 * (guess + x / guess)
        return guess


def test_branches_on_values_become_kernel_code() -> None:
    """Each way is followed; a loop whose length depends on the value is not."""
    pieces, root = T.Elemwise(Pieces(upgrade_to_float)), T.Elemwise(Root(upgrade_to_float))
    assert pieces.lowering == "map"
    values = np.array([-4.0, -2.0, -1.0, 0.25, 0.5, 1.0, 2.0, 3.0])
    a, b = (grid.ravel() for grid in np.meshgrid(values, values))
    expected = [Pieces().impl(x, y) for x, y in zip(a, b, strict=True)]
    x, y = T.dvectors("x", "y")
    for linker in ("cvm", "py"):
        f = theano.function([x, y], pieces(x, y), mode=theano.Mode(linker=linker))
        np.testing.assert_allclose(f(a, b), expected, rtol=1e-12)
    assert "branches too often" in root.why
    np.testing.assert_allclose(root(np.array([4.0, 2.0])).eval(), [2.0, np.sqrt(2.0)])


def test_code_that_catches_errors_is_found_out() -> None:
    """A trace that computes something else than the code is not used."""

    class Careful(UnaryScalarOp):
        def impl(self, x):
            try:
                return math.exp(x)
            except Exception:
                return 0.0

    op = T.Elemwise(Careful(upgrade_to_float))
    assert op.lowering == "python"
    np.testing.assert_allclose(op(np.array([1.0])).eval(), [np.e])


def test_names_of_users_do_not_meet_those_of_the_library() -> None:
    """An op that is called exp is not exp: no rewrite takes it for it."""

    class Exp(UnaryScalarOp):
        def impl(self, x):
            return x + 1

    op = T.Elemwise(Exp(upgrade_to_float, name="exp"))
    x = T.dvector("x")
    np.testing.assert_allclose(theano.function([x], T.log(op(x)))([0.0]), [0.0])
    assert op != T.exp


def test_classes_of_the_library_can_be_extended() -> None:
    """Another gradient keeps the native code; another impl replaces it."""

    class Straight(scal.Sgn):
        def grad(self, inputs, output_grads):
            return [output_grads[0]]

    class Halved(scal.Exp):
        def impl(self, x):
            return super().impl(x) / 2

        def L_op(self, inputs, outputs, output_grads):
            return [g / 2 for g in scal.Exp.L_op(self, inputs, outputs, output_grads)]

    x = T.dvector("x")
    straight, halved = T.Elemwise(Straight()), T.Elemwise(Halved())
    assert straight.lowering == "map"
    f = theano.function([x], [straight(x), theano.grad(straight(x).sum(), x), halved(x)])
    np.testing.assert_allclose(f([-2.0, 0.0]), [[-1, 0], [1, 1], [np.exp(-2) / 2, 0.5]])
    number = scal.float64("s")
    slope = theano.grad(Straight()(number), number)
    assert theano.function([number], slope)(3.0) == 1.0


def test_equality_follows_class_preference_and_parameters() -> None:
    """Equal ops are computed once; ops with other parameters are others."""

    class Scale(UnaryScalarOp):
        def __init__(self, factor):
            super().__init__(upgrade_to_float)
            self.factor = factor

        def impl(self, x):
            return x * self.factor

    assert T.Elemwise(Cube(upgrade_to_float)) == T.Elemwise(Cube(upgrade_to_float))
    assert T.Elemwise(Cube(upgrade_to_float)) != T.Elemwise(Cube(upcast_out))
    assert T.Elemwise(Scale(2)) == T.Elemwise(Scale(2))
    assert T.Elemwise(Scale(2)) != T.Elemwise(Scale(3))
    x = T.dvector("x")
    f = theano.function([x], [T.Elemwise(Scale(2))(x), T.Elemwise(Scale(3))(x)])
    np.testing.assert_allclose(f([1.0]), [[2.0], [3.0]])


def test_elemwise_of_users_pickles() -> None:
    """With its op, whose class is found by name."""
    for op in (cube, leaky, bessel):
        again = pickle.loads(pickle.dumps(op))
        assert again == op
        np.testing.assert_allclose(again(np.array([0.5])).eval(), op(np.array([0.5])).eval())
    assert isinstance(cube.scalar_op, Cube)
    assert cube.scalar_op.name == "cube"
    assert str(cube) == "Elemwise{cube,no_inplace}"


def test_bad_ops_say_what_is_missing() -> None:
    """No types, no code, too many inputs, too many outputs."""

    class Nothing(UnaryScalarOp):
        pass

    class Two(ScalarOp):
        nin, nout = 1, 2

    x = T.dvector("x")
    with pytest.raises(NotImplementedError, match="output_types_preference"):
        T.Elemwise(Nothing())(x)
    with pytest.raises(Exception, match="defines no impl"):
        theano.function([x], T.Elemwise(Nothing(upgrade_to_float))(x))([1.0])
    with pytest.raises(TypeError, match="takes 1 inputs"):
        cube(x, x)
    with pytest.raises(TypeError, match="Wrong number of inputs"):
        cube.scalar_op(1.0, 2.0)
    with pytest.raises(IndexError):
        T.Elemwise(Two(upgrade_to_float))(x)  # types for one output only


def test_errors_of_impl_reach_the_caller() -> None:
    """A Python step raises what the code raises."""

    class Strict(UnaryScalarOp):
        def impl(self, x):
            if x < 0:
                raise ValueError("negative!")
            return x

    x = T.dvector("x")
    f = theano.function([x], T.Elemwise(Strict(upgrade_to_float))(x))
    assert f([1.0]).tolist() == [1.0]
    with pytest.raises(ValueError, match="negative!"):
        f([-1.0])


def test_nfunc_spec_given_to_elemwise() -> None:
    """As Theano's own Elemwise takes it."""

    class Bare(UnaryScalarOp):
        def impl(self, x):
            return math.sinh(x)

    op = T.Elemwise(Bare(upgrade_to_float), nfunc_spec=("sinh", 1, 1))
    np.testing.assert_allclose(op(np.array([[0.5]])).eval(), np.sinh([[0.5]]))
