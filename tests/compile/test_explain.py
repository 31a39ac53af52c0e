"""theano.explain: every stage's text."""

from __future__ import annotations

import pytest

import theano
import theano.tensor as T


def test_every_stage_is_shown():
    x = T.dvector("x")
    f = theano.function([x], T.log(1 + T.exp(x)).sum(), name="softplus sum")
    told = theano.explain(f)
    text = str(told)
    assert "softplus sum" in text
    assert "exp" in told["graph"]
    for name in ("rules that fired", "program", "memory plan", "notes"):
        assert told[name]
    assert "launch" in told["program"]
    assert told.rules
    with pytest.raises(KeyError, match="there are"):
        told["nothing"]


def test_interpreted_functions_say_why():
    x = T.dscalar("x")
    f = theano.function([x], x + 1, mode="FAST_COMPILE")
    assert "op by op" in theano.explain(f)["notes"]


def test_only_functions_are_explained():
    with pytest.raises(TypeError, match="compiled function"):
        theano.explain(len)


def test_each_pass_shows_its_rules_and_the_graph_step_by_step():
    x = T.dvector("x")
    w = theano.shared(2.0, "w")
    f = theano.function([x], T.log(1 + T.exp(x)).sum(), updates=[(w, w * x[0])])
    told = theano.explain(f, code=False)
    steps = told["graph"].splitlines()
    assert "Elemwise{exp,no_inplace}(x)" in told["graph"]
    assert all("TensorType" in step for step in steps[:-1])
    assert steps[-1].startswith("return %")
    assert steps[-1].count("%") == 2
    assert told["after stabilize"].startswith("rules: ")
    assert "softplus" in told["after stabilize"]
    assert "local_log1p" not in told["after specialize"].splitlines()[0]


def test_an_unchanged_graph_is_not_shown_again():
    x = T.dvector("x")
    told = theano.explain(theano.function([x], x), code=False)
    assert told["graph"] == "return x"
    assert told["after stabilize"] == "rules: none\n(unchanged)"
