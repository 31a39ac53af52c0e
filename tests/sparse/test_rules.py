"""Each rewrite of sparse expressions: it fires, and keeps the value."""

import numpy as np
import pytest
import scipy.sparse as sp

import theano
import theano.sparse as S
import theano.tensor as T
from theano.rewrite.engine import Report
from theano.rewrite.pattern import RULES
from theano.rewrite.pipeline import optimize

X, W, ROWS = S.csr_matrix("x"), T.dmatrix("w"), T.ivector("rows")
PARTS = S.csm_properties(X)


def table_gradient(scale):
    g = theano.grad((theano.sparse_grad(W[ROWS]) ** 2).sum(), W)
    return W + scale(g)


# name of the rule, expression, names of ops that must be gone
CASES = [
    ("local_csm_properties_csm", lambda: S.csm_data(S.CSR(PARTS[0] * 2, *PARTS[1:])), {"CSM"}),
    ("local_csm_properties_transpose", lambda: S.csm_properties(S.transpose(X))[3], {"Transpose"}),
    ("local_csm_of_properties", lambda: S.CSR(*PARTS), {"CSM", "CSMProperties"}),
    (
        "local_csm_grad_same_pattern",
        lambda: S.csm_grad()(*PARTS, PARTS[0] * 3, *PARTS[1:]),
        {"CSMGrad"},
    ),
    ("local_sparse_extent", lambda: theano.tensor.shape(X)[0] + S.dot(X, W).shape[0], {"Shape_i"}),
    ("local_scaled_rows", lambda: table_gradient(lambda g: -g), {"Neg"}),
    ("local_scaled_rows", lambda: table_gradient(lambda g: 0.5 * g), {"MulSD"}),
    ("local_add_rows", lambda: table_gradient(lambda g: g), {"ConstructSparseFromList", "AddSD"}),
]


@pytest.mark.parametrize(("name", "make", "gone"), CASES)
def test_rule(name, make, gone):
    before, report = make(), Report()
    (after,) = optimize([X, W, ROWS], [before], report=report, expand=False)
    assert name in report.fired
    left = {type(node.op).__name__ for node in theano.FunctionGraph(
        [X, W, ROWS], [after], clone=False).toposort()}  # fmt: skip
    assert not left & gone
    given = sp.random(4, 5, 0.5, "csr", random_state=0), np.arange(10.0).reshape(5, 2), [1, 3, 1]
    reference = theano.Mode(linker="py", optimizer=None)
    values = [
        theano.function([X, W, ROWS], out, mode=mode, on_unused_input="ignore")(*given)
        for out, mode in ((before, reference), (after, reference), (before, None))
    ]
    arrays = [v.toarray() if sp.issparse(v) else v for v in values]
    assert np.allclose(arrays[0], arrays[1])
    assert np.allclose(arrays[0], arrays[2])


def test_rows_of_another_matrix_are_not_added_blindly():
    """The shapes may differ, which is an error that must not get lost."""
    other = T.dmatrix("other")
    g = S.construct_sparse_from_list(W, other, ROWS)
    f = theano.function([W, other, ROWS], (other + 0) + g)
    with pytest.raises(ValueError, match="shape"):
        f(np.ones((5, 2)), np.ones((3, 2)), [0, 1, 2])


def test_every_rule_is_tested():
    assert {rule.name for rule in RULES if "sparse" in rule.tags} == {name for name, *_ in CASES}
