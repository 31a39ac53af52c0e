"""``einsum`` against NumPy's, over generated subscripts."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, inputs_for, normal
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.core.errors import ShapeError
from theano.gradient import verify_grad
from theano.ops.einsum import greedy_path

EXTENT = {"a": 2, "b": 3, "c": 4, "d": 1, "B": 2}


def stretching(*values):
    return [tuple(n == 1 for n in v.shape) for v in values]


def made(shape, dtype, seed):
    values = np.random.default_rng(seed).integers(-9, 9, shape)
    return values > 2 if dtype == "bool" else values.astype(dtype)


@st.composite
def specs(draw):
    """Subscripts, shapes and a dtype."""
    letters = draw(st.lists(st.sampled_from(list(EXTENT)), min_size=1, max_size=5, unique=True))
    dots = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=2)) if draw(st.booleans()) else None
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 4))):
        term = draw(st.lists(st.sampled_from(letters), max_size=3))
        shape = [EXTENT[letter] for letter in term]
        if dots is not None:
            at = draw(st.integers(0, len(term)))
            own = [draw(st.sampled_from([1, n])) for n in dots][draw(st.integers(0, len(dots))) :]
            term, shape = [*term[:at], "...", *term[at:]], [*shape[:at], *own, *shape[at:]]
        terms.append("".join(term))
        shapes.append(tuple(shape))
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        used = sorted(set(subscripts) - set(",."))
        output = draw(st.permutations(used))[: draw(st.integers(0, len(used)))]
        if dots is not None:
            output.insert(draw(st.integers(0, len(output))), "...")
        subscripts += "->" + "".join(output)
    return subscripts, shapes, draw(st.sampled_from(["float64", "float32", "int8", "bool"]))


@given(specs())
@settings(max_examples=60)
def test_generated_subscripts(drawn):
    subscripts, shapes, dtype = drawn
    values = [made(shape, dtype, seed) for seed, shape in enumerate(shapes)]
    expected = np.einsum(subscripts, *values)
    variables = inputs_for(values, stretching(*values))
    out = T.einsum(subscripts, *variables)
    assert out.type.dtype == expected.dtype.name
    assert out.type.ndim == expected.ndim
    function = theano.function(variables, out, on_unused_input="ignore")
    np.testing.assert_allclose(function(*values), expected, rtol=1e-5, atol=1e-4)
    assert "Python steps: none" in str(theano.explain(function, code=False)["memory plan"])


KNOWN = [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,kj", (2, 3), (4, 3)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ii", (3, 3)), ("iij->ij", (2, 2, 3)),
    ("i,i", (4,), (4,)), ("i,j->ji", (2,), (3,)),
    ("ij->", (2, 3)), ("...i,...i->...", (2, 1, 3), (4, 3)), ("bhqd,bhkd->bhqk", (2, 2, 3, 4),
    (2, 2, 5, 4)), ("ab,bc,cd,de->ea", (2, 3), (3, 4), (4, 2), (2, 3)), ("ijk,ijl,ijm->klm",
    (2, 3, 2), (2, 3, 4), (2, 3, 2)), (" i j , j -> i ", (2, 3), (3,)), ("iji,jj->ij", (2, 3, 2),
    (3, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("subscripts", "shapes"), [(row[0], row[1:]) for row in KNOWN])
def test_values_gradients_and_the_other_executor(subscripts, shapes):
    values = [normal(*shape) + i for i, shape in enumerate(shapes)]
    patterns = stretching(*values)
    found = both(lambda *xs: T.einsum(subscripts, *xs), *values, patterns=patterns)
    np.testing.assert_allclose(found, np.einsum(subscripts, *values), rtol=1e-9, atol=1e-12)
    check_grad(lambda *xs: T.einsum(subscripts, *xs), *values, patterns=patterns)


def test_second_order_and_directions():
    a, b = normal(2, 2, 3), normal(2, 3, 2)
    rng = np.random.RandomState(0)
    verify_grad(
        lambda a, b: T.grad((T.einsum("bij,bjk->ik", a, b) ** 3).sum(), [a, b])[0], [a, b], rng=rng
    )
    found = both(lambda a, b, u: T.Rop(T.einsum("bij,bjk->ik", a, b), a, u), a, b, a * 2)
    np.testing.assert_allclose(found, 2 * np.einsum("bij,bjk->ik", a, b))


def test_list_form():
    a, b = normal(2, 3, 4), normal(4, 3)
    for form in ([0, 1, 2], [2, 1], [0]), ([5, 1, 2], [2, 1]), ([..., 9, 3], [3, 9], [...]):
        found = both(lambda a, b, form=form: T.einsum(a, form[0], b, *form[1:]), a, b)
        expected = np.einsum(a, form[0], b, *form[1:])
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    big = both(lambda a, b: T.einsum(a, [1000, 7, 8], b, [8, 7], [1000]), a, b)
    np.testing.assert_allclose(big, np.einsum("abc,cb->a", a, b))


@pytest.mark.parametrize("optimize", [
    True, False, "auto", "greedy", [(1, 2), (0, 1)], ["einsum_path", (0, 2), (0, 1)], [(0, 1, 2)],
    ("greedy", 1000), [(0, 1)],
])  # fmt: skip
def test_orders_of_contraction(optimize):
    values = [normal(2, 3), normal(3, 4), normal(4, 5)]
    found = both(lambda *xs: T.einsum("ab,bc,cd->da", *xs, optimize=optimize), *values)
    np.testing.assert_allclose(found, np.einsum("ab,bc,cd->da", *values), rtol=1e-9)


def test_the_order_saves_work():
    sizes = {"a": 100, "b": 100, "c": 100}
    labels = {name: i for i, name in enumerate(sizes)}
    terms = [(labels["a"], labels["b"]), (labels["b"], labels["c"]), (labels["c"],)]
    assert greedy_path(terms, (labels["a"],), dict.fromkeys(range(3), 100))[0] == (1, 2)
    x, y, v = (T.TensorType("float64", shape=s)() for s in ((100, 100), (100, 100), (100,)))
    program = theano.explain(theano.function([x, y, v], T.einsum("ab,bc,c", x, y, v)), code=False)
    assert "gemm, gemm" in str(program["memory plan"])
    assert "[100, 100]" not in str(program["memory plan"])


def test_order_by_opt_einsum():
    pytest.importorskip("opt_einsum")
    values = [normal(2, 3), normal(3, 4), normal(4, 5), normal(5, 2)]
    for optimize in ("optimal", "branch-2", "auto"):
        found = both(lambda *xs, o=optimize: T.einsum("ab,bc,cd,da", *xs, optimize=o), *values)
        np.testing.assert_allclose(found, np.einsum("ab,bc,cd,da", *values))


def test_products_are_calls_without_copies():
    x, y = T.tensor4s("xy")
    function = theano.function([x, y], T.einsum("bhqd,bhkd->bhqk", x, y))
    plan = str(theano.explain(function, code=False)["memory plan"])
    assert "0 kernels; library calls: batched_gemm;" in plan


def test_static_shapes():
    x, y = T.TensorType("float64", shape=(2, None))(), T.TensorType("float64", shape=(None, 5))()
    assert T.einsum("ij,jk->ki", x, y).type.shape == (5, 2)
    with pytest.raises(ShapeError, match=r"'i' has size 2 .*\(2, None\).* 5 .*\(None, 5\)"):
        T.einsum("ij,ki->jk", x, y)


def test_extents_that_differ_at_run_time():
    x, y = T.dmatrices("xy")
    for subscripts in ("ij,ij->", "ij,ij->i", "ij,jk->ik", "ij,ij->ij"):
        function = theano.function([x, y], T.einsum(subscripts, x, y))
        with pytest.raises(ValueError, match=r"\(2, 3\)|size|\[?2"):
            function(np.zeros((2, 3)), np.zeros((4, 5)))
    square = theano.function([x], T.einsum("ii", x))
    with pytest.raises(ValueError, match=r"'i'.*\(2, 3\)"):
        square(np.zeros((2, 3)))


@pytest.mark.parametrize(("arguments", "message"), [
    (("ij,jk", 1), "2 operands, 1"), (("ij", 3), "has 2 dimensions|3 dimensions"),
    (("i->j", 1), "'j' is not among"), (("i->ii", 1), "occurs twice"), (("i.", 1), "three dots"),
    (("i$", 1), "not a letter"), (("i->>", 1), "one '->'"), (("i->i->i", 1), "one '->'"),
    (("...i->i", 2), "needs an ellipsis"), (("i->i,i", 1), "one output"),
    (("... ...", 2), "three dots"),
])  # fmt: skip
def test_bad_subscripts(arguments, message):
    subscripts, ndim = arguments
    with pytest.raises(ValueError, match=message):
        T.einsum(subscripts, T.TensorType("float64", shape=(None,) * ndim)())


def test_other_bad_input():
    x, y = T.dmatrices("xy")
    with pytest.raises(ValueError, match="comes after each operand"):
        T.einsum(x, 3)
    with pytest.raises(ValueError, match="not negative"):
        T.einsum(x, [0, -1])
    with pytest.raises(TypeError, match="optimize"):
        T.einsum("ij,jk,kl", x, y, x, optimize=3)
    with pytest.raises(ValueError, match="no step"):
        T.einsum("ij,jk,kl", x, y, x, optimize=[(0, 7)])


def test_numpy_calls_ours():
    x = T.dmatrix("x")
    value = normal(3, 3)
    out = np.einsum("ij,kj->ik", x, x)
    np.testing.assert_allclose(out.eval({x: value}), value @ value.T)
    assert T.einsum("ii->i", x, dtype="float32").type.dtype == "float32"
