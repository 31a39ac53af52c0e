"""Rules about matrices: each fires, and keeps the value; what they save is seen in the calls."""

from __future__ import annotations

import numpy as np
import pytest
from tools_linalg import calls, positive, random, regular

import theano
import theano.tensor as T
from theano.rewrite.linalg import structure
from theano.rewrite.pattern import RULES

L = T.linalg
A, B, b, S = T.dmatrix("A"), T.dmatrix("B"), T.dvector("b"), T.dtensor3("S")
X = T.TensorType("float64", shape=(4, 4))("X")
VALUES = {A: positive(4), B: random(4, 3), b: random(4), S: regular(4, 2), X: regular(4)}
C = L.cholesky(A)


def compiled(outs, **mode):
    outs = outs if isinstance(outs, list) else [outs]
    f = theano.function(list(VALUES), outs, on_unused_input="ignore", **mode)
    return f, f(*VALUES.values())


CASES = [
    # rule, expression, library calls that are left
    ("local_log_det", lambda: T.log(L.det(A)), ["getrf"]),
    ("local_log_det", lambda: T.log(abs(L.det(X))), ["getrf"]),
    ("local_log_det", lambda: T.log(T.sqr(L.det(S))), ["getrf"]),
    ("local_sign_det", lambda: T.sgn(L.det(X)), ["getrf"]),
    ("local_det_over_abs_det", lambda: theano.grad(T.log(abs(L.det(X))), X), ["getrf", "getri"]),
    (
        "local_det_over_abs_det",
        lambda: theano.grad((T.log(abs(L.det(S))) * b[:2]).sum(), S),
        ["getrf", "getri"],
    ),
    ("local_det_over_abs_det", lambda: 3 * L.det(X) / abs(L.det(X)), ["getrf"]),
    ("local_det_of_triangular", lambda: L.det(C), ["potrf"]),
    ("local_det_of_triangular", lambda: L.det(T.tril(X)), []),
    ("local_det_of_triangular", lambda: L.det(T.triu(A)), []),
    ("local_det_of_triangular", lambda: L.det(T.dot(C, C.T)), ["potrf"]),
    ("local_slogdet_of_triangular", lambda: L.slogdet(C.T)[1], ["potrf"]),
    ("local_slogdet_of_triangular", lambda: L.logdet(T.dot(C, C.T)), ["potrf"]),
    ("local_slogdet_of_triangular", lambda: L.slogdet(-T.nlinalg.alloc_diag(b))[0], None),
    ("local_det_of_inverse", lambda: L.det(L.inv(A)), ["getrf"]),
    ("local_log_prod", lambda: T.log(T.prod(T.nlinalg.diag(C))), ["potrf"]),
    ("local_log_prod", lambda: T.log(T.prod(T.exp(B), axis=0)), []),
    ("local_inverse_to_solve", lambda: T.dot(L.inv(A), b), ["getrf", "lusolve"]),
    ("local_inverse_to_solve", lambda: T.dot(L.inv(A), B), ["getrf", "lusolve"]),
    ("local_inverse_to_solve", lambda: T.dot(L.inv(X).T, B), ["getrf", "lusolve"]),
    ("local_inverse_to_solve", lambda: T.dot(b, L.inv(X)), ["getrf", "lusolve"]),
    ("local_inverse_to_solve", lambda: T.dot(B.T, L.inv(X)), ["getrf", "lusolve"]),
    ("local_inverse_to_solve", lambda: T.dot(B.T, L.inv(X).T), ["getrf", "lusolve"]),
    ("local_inverse_to_solve", lambda: T.batched_dot(L.inv(S), S), ["getrf", "lusolve"]),
    ("local_solve_triangular", lambda: L.solve(C, b), ["potrf", "trsolve"]),
    ("local_solve_triangular", lambda: L.solve(C.T, B), ["potrf", "trsolve"]),
    ("local_solve_triangular", lambda: L.solve(T.dot(C, C.T), b), ["potrf", "trsolve", "trsolve"]),
    ("local_solve_triangular", lambda: L.solve(T.triu(X), b), ["trsolve"]),
    ("local_inverse_of_triangular", lambda: L.inv(C), ["potrf", "trsolve"]),
    ("local_inverse_of_inverse", lambda: L.inv(L.inv(A)), []),
    ("local_inverse_of_inverse", lambda: L.inv(L.inv(X).T), []),
    ("local_dot_of_outer", lambda: T.dot(X, T.outer(b, b * 2)), None),
    ("local_dot_of_outer", lambda: T.dot(T.outer(b, b), X), None),
    ("local_trace_of_product", lambda: T.nlinalg.trace(T.dot(X, X)), []),
    ("local_trace_of_product", lambda: T.nlinalg.trace(T.dot(B, B.T)), []),
]


@pytest.mark.parametrize(
    ("name", "make", "left"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)]
)
def test_a_rule_fires_and_keeps_the_value(name, make, left):
    out = make()
    f, (found,) = compiled(out)
    assert theano.explain(f, code=False).rules[name] >= 1
    plain = theano.Mode(linker="numpy", optimizer=None)
    _, (expected,) = compiled(out, mode=plain)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    if left is not None:
        assert calls(f) == left
    without = theano.compile.get_default_mode().excluding("linalg")
    _, (also,) = compiled(out, mode=without)
    np.testing.assert_allclose(also, expected, rtol=1e-8, atol=1e-10)


def test_every_rule_of_matrices_is_tested():
    rules = {rule.name for rule in RULES if "linalg" in rule.tags}
    assert rules == {name for name, *_ in CASES}


UNCHANGED = [
    lambda: T.dot(L.inv(A), B) + L.inv(A)[:, :3],  # the inverse is there anyway
    lambda: L.det(T.tril(A, 1)),
    lambda: L.solve(T.triu(A, -1), b),
    lambda: L.solve(A * 2, b),
    lambda: T.log(T.prod(B)),
    lambda: T.nlinalg.trace(T.dot(A, B)),  # perhaps not square
]


@pytest.mark.parametrize("make", UNCHANGED)
def test_what_must_stay_as_it_is(make):
    f, _ = compiled(make())
    fired = theano.explain(f, code=False).rules
    assert not {rule.name for rule in RULES if "linalg" in rule.tags} & set(fired)


def test_value_and_gradient_share_one_factorisation():
    for cost in (
        T.log(abs(L.det(A))), L.det(A), L.solve(A, b).sum(), T.dot(b, T.dot(L.inv(A), b)),
        L.inv(A).sum() + L.det(A), L.solve(A.T, b).sum() * L.slogdet(A)[1],
    ):  # fmt: skip
        f, _ = compiled([cost, theano.grad(cost, A)])
        assert calls(f).count("getrf") == 1
    f, _ = compiled([C.sum(), theano.grad(C.sum(), A)])
    assert [c for c in calls(f) if c != "gemm"] == ["potrf", "trsolve", "trsolve"]


def test_a_gaussian_density_needs_no_inverse_for_its_quadratic_form():
    d = b - b.mean()
    cost = T.dot(d, T.dot(L.inv(A), d))
    f, _ = compiled([cost, *theano.grad(cost, [A, b])])
    assert "getri" not in calls(f)


def test_logarithms_of_determinants_do_not_overflow():
    value = np.eye(700) * 9 + 0.01
    cost = T.log(abs(L.det(A)))
    f = theano.function([A], [cost, theano.grad(cost, A)])
    logarithm, gradient = f(value)
    np.testing.assert_allclose(logarithm, np.linalg.slogdet(value)[1])
    np.testing.assert_allclose(gradient, np.linalg.inv(value).T, atol=1e-10)
    negative = theano.function([A], T.log(L.det(A)))
    assert np.isnan(negative(np.diag([1.0, -1.0])))
    assert negative(np.zeros((2, 2))) == -np.inf


def test_structure():
    assert structure(C) == "lower"
    assert structure(C.T) == "upper"
    assert structure(C.T.T) == "lower"
    assert structure(L.cholesky(A, lower=False)) == "upper"
    assert structure(T.tril(A)) == "lower"
    assert structure(-C) == "lower"
    assert structure(T.tril(A, 1)) == ""
    assert structure(T.nlinalg.alloc_diag(b)) == "diagonal"
    assert structure(T.constant(np.tril(random(3, 3)))) == "lower"
    assert structure(A) == ""
