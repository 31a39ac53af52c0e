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
