"""Slices of slices become one, for all bounds and steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theano.tensor as T
from theano.graph.evaluate import reference_function
from theano.rewrite import pipeline
from theano.rewrite.engine import Report

bounds = st.none() | st.integers(-7, 7)
slices = st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, 3, -1, -2]))


@given(slices, slices | st.integers(-3, 3), st.booleans(), st.integers(0, 6))
@settings(max_examples=300, deadline=None)
def test_two_indices(first: slice, second: Any, static: bool, size: int) -> None:
    x = T.TensorType("float64", shape=(size if static and size != 1 else None,))("x")
    value = np.arange(float(size))
    out = x[first][second]
    (merged,) = pipeline.optimize([x], [out], report=Report())
    try:
        expected = value[first][second]
    except IndexError:
        with pytest.raises(IndexError):
            reference_function([x], [merged])(value)
        return
    np.testing.assert_array_equal(reference_function([x], [merged])(value)[0], expected)
