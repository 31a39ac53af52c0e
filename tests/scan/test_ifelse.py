"""Lazy conditionals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.ifelse import ifelse

MODES = [
    pytest.param(None, id="native"),
    pytest.param(theano.Mode("cvm", None), id="native, not rewritten"),
    pytest.param(theano.Mode("py", "fast_run"), id="reference"),
]


@pytest.mark.parametrize("mode", MODES)
def test_shapes_may_differ(mode: Any) -> None:
    c, x, y = T.dscalar("c"), T.dmatrix("x"), T.dmatrix("y")
    z = ifelse(c > 0, T.exp(x), y * 2)
    f = theano.function([c, x, y], [z, z.shape, z.sum()], mode=mode)
    a, b = np.ones((3, 2)), np.ones((1, 4))
    for flag, want in ((1.0, np.exp(a)), (-1.0, b * 2)):
        got, shape, total = f(flag, a, b)
        np.testing.assert_allclose(got, want)
        assert tuple(shape) == want.shape
        np.testing.assert_allclose(total, want.sum())


@pytest.mark.parametrize("mode", MODES)
def test_only_the_branch_taken_is_computed(mode: Any) -> None:
    """An index out of range in the other branch does not matter."""
    c, i, v = T.iscalar("c"), T.lscalar("i"), T.dvector("v")
    f = theano.function([c, i, v], ifelse(c, v[i] * 2, v.sum()), mode=mode)
    assert f(0, 99, [1.0, 2.0]) == 3
    assert f(1, 1, [1.0, 2.0]) == 4
    with pytest.raises(IndexError):
        f(1, 99, [1.0, 2.0])


def test_python_steps_of_the_other_branch_do_not_run() -> None:
    from theano.compile.ops import as_op

    seen = []

    @as_op(itypes=[T.dvector], otypes=[T.dvector])
    def noted(v: Any) -> Any:
        seen.append(1)
        return v * 3

    c, v = T.iscalar("c"), T.dvector("v")
    f = theano.function([c, v], ifelse(c, noted(v), v + 1))
    np.testing.assert_allclose(f(0, [1.0]), [2])
    assert not seen
    np.testing.assert_allclose(f(1, [1.0]), [3])
    assert seen == [1]


@pytest.mark.parametrize("mode", MODES)
def test_several_values_keep_their_container(mode: Any) -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    pair = ifelse(c, (x, x.sum()), (x * 2, x.prod()))
    assert isinstance(pair, tuple)
    assert isinstance(ifelse(c, [x], [x + 1]), list)
    f = theano.function([c, x], list(pair), mode=mode)
    np.testing.assert_allclose(f(1, [2.0, 3.0])[1], 5)
    np.testing.assert_allclose(f(0, [2.0, 3.0])[1], 6)


@pytest.mark.parametrize("flag", [0.0, 1.0])
def test_gradients(flag: float) -> None:
    rng = np.random.RandomState(0)

    def cost(x: Any, y: Any) -> Any:
        inner = ifelse(x.sum() > 1e6, x * 7, T.sin(x))
        return ifelse(T.constant(flag) > 0.5, (inner**2).sum(), T.exp(y).sum() * inner.mean())

    verify_grad(cost, [rng.rand(3), rng.rand(2)], rng=rng)


@pytest.mark.parametrize("mode", MODES)
def test_nested_in_loops_and_loops_in_branches(mode: Any) -> None:
    v = T.dvector("v")

    def step(r: Any, s: Any) -> Any:
        inner, _ = theano.scan(lambda q, u: u + q * r, T.arange(3), T.zeros(()))
        return ifelse(r > 0, ifelse(s > 3, inner[-1], s + r), s - 1.0)

    out, _ = theano.scan(step, v, T.zeros(()))
    f = theano.function([v], [out, theano.grad(out[-1], v)], mode=mode)
    want, s = [], 0.0
    given = [1.0, 3.0, 2.0, -1.0, 1.5]
    for r in given:
        s = (3 * r if s > 3 else s + r) if r > 0 else s - 1
        want.append(s)
    got, slope = f(given)
    np.testing.assert_allclose(got, want)
    np.testing.assert_allclose(slope, [0, 0, 0, 0, 3] if want[3] > 3 else slope)


@pytest.mark.parametrize("mode", MODES)
def test_shared_variables_and_constants(mode: Any) -> None:
    s = theano.shared(np.arange(3.0))
    c = T.iscalar("c")
    f = theano.function([c], ifelse(c, s * 2, T.constant(np.ones(2))), mode=mode,
                        updates=[(s, s + 1)])  # fmt: skip
    np.testing.assert_allclose(f(1), [0, 2, 4])
    np.testing.assert_allclose(f(0), [1, 1])
    np.testing.assert_allclose(f(1), [4, 6, 8])


def test_wrong_arguments() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    with pytest.raises(TypeError, match="different types"):
        ifelse(c, x, T.fvector())
    with pytest.raises(TypeError, match="different types"):
        ifelse(c, x, T.dmatrix())
    with pytest.raises(TypeError, match="scalar"):
        ifelse(x, x, x)
    with pytest.raises(ValueError, match="numbers"):
        ifelse(c, [x], [x, x])


def test_programs_with_branches_have_a_text() -> None:
    from theano.lower import text
    from theano.lower.function import lower_function
    from theano.lower.verify import verify
    from theano.rewrite.pipeline import optimize

    c, v = T.iscalar("c"), T.dvector("v")
    loop, _ = theano.scan(lambda r, s: ifelse(r > 0, s + r, s), v, T.zeros(()))
    outputs = optimize([c, v], [ifelse(c, loop, v * 2)])
    program = verify(lower_function([c, v], outputs).program)
    again = text.parse(text.text(program), program.constants, program.callables)
    assert again == program


@pytest.mark.parametrize("mode", MODES)
def test_a_branch_that_ends_in_work_upon_joined_arrays(mode: Any) -> None:
    flag, x, v = T.bscalar("flag"), T.dmatrix("x"), T.dmatrix("v")
    joined = T.tanh(T.concatenate([v, v * 2], axis=1))
    f = theano.function([flag, x, v], ifelse(flag, joined, x), mode=mode)
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(f(1, values, values), np.tanh(np.hstack([values, values * 2])))
    np.testing.assert_array_equal(f(0, values, values), values)
