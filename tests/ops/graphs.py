"""Helpers to run small graphs: the reference, the compiled function, extents, gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

import theano
from theano.graph.evaluate import reference_function
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.extents import sizes_of


def inputs_for(values: Sequence[Any], patterns: Sequence[Any] | None = None) -> list[Any]:
    """A variable per value, with its dtype and rank; broadcastable as ``patterns`` says."""
    made = []
    for number, value in enumerate(map(np.asarray, values)):
        pattern = None if patterns is None else patterns[number]
        pattern = (False,) * value.ndim if pattern is None else pattern
        made.append(TensorType(value.dtype.name, pattern)(f"v{number}"))
    return made


def reference(build: Callable[..., Any], *values: Any, patterns: Any = None) -> Any:
    """The value of ``build(*variables)`` by ``perform``; checks shape rules on the way."""
    variables = inputs_for(values, patterns)
    out = build(*variables)
    several = isinstance(out, (list, tuple))
    outs = list(out) if several else [out]
    results = reference_function(variables, outs)(*map(np.asarray, values))
    check_extents(variables, outs, values, results)
    for variable, result in zip(outs, results, strict=True):
        assert result.dtype == variable.type.numpy_dtype
        assert result.ndim == variable.type.ndim
        for static, size in zip(variable.type.shape, result.shape, strict=True):
            assert static is None or static == size
    return results if several else results[0]


def check_extents(variables: Any, outs: Any, values: Any, results: Any) -> None:
    """``infer_shape`` of each output's op, evaluated, is the shape of its value."""
    for out, result in zip(outs, results, strict=True):
        if out.owner is None:
            continue
        node = out.owner
        rule = node.op.infer_shape(node, [sizes_of(x) for x in node.inputs])[out.index]
        if rule is None:
            continue
        extents = [sizes.variable(size) for size in rule]
        found = reference_function(variables, extents)(*map(np.asarray, values))
        assert tuple(map(int, found)) == result.shape, (node.op, rule)


def both(build: Callable[..., Any], *values: Any, patterns: Any = None, rtol: float = 1e-6) -> Any:
    """As ``reference``, after a check that the compiled function agrees."""
    expected = reference(build, *values, patterns=patterns)
    variables = inputs_for(values, patterns)
    out = build(*variables)
    several = isinstance(out, (list, tuple))
    compiled = theano.function(variables, list(out) if several else out, on_unused_input="ignore")
    found = compiled(*map(np.asarray, values))
    for a, b in zip(
        found if several else [found], expected if several else [expected], strict=True
    ):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol)
    return expected


def check_grad(build: Callable[..., Any], *values: Any, patterns: Any = None) -> None:
    """The gradient of a weighted sum of ``build(*variables)`` against central differences."""
    variables = inputs_for(values, patterns)
    out = build(*variables)
    (shown,) = reference_function(variables, [out])(*values)
    weights = np.random.default_rng(7).normal(size=shown.shape)
    cost = (out * weights).sum()
    wrt = [v for v in variables if v.type.dtype == "float64"]
    gradients = reference_function(variables, theano.grad(cost, wrt))(*values)
    evaluate = reference_function(variables, [cost])
    for variable, gradient in zip(wrt, gradients, strict=True):
        place = variables.index(variable)
        numeric = np.zeros_like(values[place])
        for index in np.ndindex(numeric.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [np.array(v) for v in values]
                moved[place][index] += step
                ends.append(float(evaluate(*moved)[0]))
            numeric[index] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)


def normal(*shape: int) -> Any:
    """A float64 array of standard normal numbers, the same for the same shape."""
    return np.random.default_rng(sum(shape) + len(shape)).normal(size=shape)


def written(x: Any, key: Any, y: Any, add: bool) -> Any:
    """A copy of ``x`` with ``y`` added or assigned at ``key``."""
    out = x.copy()
    if add:
        np.add.at(out, key, y)
    else:
        out[key] = y
    return out


@st.composite
def contractions(draw: Any, sizes_a: Any, sizes_b: Any, first: int = 0) -> Any:
    """Axes to sum over, none below ``first``, and shapes that agree in them, parts of the sizes."""
    rank_a = draw(st.integers(first + 1, len(sizes_a)))
    rank_b = draw(st.integers(first + 1, len(sizes_b)))
    count = draw(st.integers(0, min(rank_a, rank_b) - first))
    axes_a = draw(st.permutations(range(first, rank_a)))[:count]
    axes_b = draw(st.permutations(range(first, rank_b)))[:count]
    shape_a, shape_b = [*sizes_a[:rank_a]], [*sizes_b[:rank_b]]
    for i, j in zip(axes_a, axes_b, strict=True):
        shape_b[j] = shape_a[i]
    return axes_a, axes_b, shape_a, shape_b
