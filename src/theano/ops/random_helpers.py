"""Draws that ``numpy.random.RandomState`` has no method for, with parameters that broadcast.

Each takes the state, the parameters as arrays, and ``size``, and advances the state.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def random_integers_helper(random_state: Any, low: Any, high: Any, size: Any) -> Any:
    """Integers from ``low`` to ``high``, both included."""
    if np.ndim(low) == 0 and np.ndim(high) == 0:
        return random_state.randint(int(low), int(high) + 1, size=size, dtype=np.int64)
    shape = np.broadcast_shapes(np.shape(low), np.shape(high)) if size is None else size
    lows, highs = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    out = np.empty(shape, np.int64)
    for index in np.ndindex(*shape):
        out[index] = random_state.randint(int(lows[index]), int(highs[index]) + 1, dtype=np.int64)
    return out


def choice_helper(random_state: Any, a: Any, replace: Any, p: Any, size: Any) -> Any:
    """Elements of ``a`` (a vector, or 0 … a - 1); an empty ``p`` means equal probabilities."""
    if a.ndim > 1:
        raise ValueError(f"choice: a must be a number or a vector, not of {a.ndim} dimensions")
    items = int(a) if a.ndim == 0 else a
    weights = None if p.size == 0 else p.astype("float64")
    return random_state.choice(items, size, bool(replace), weights)


def permutation_helper(random_state: Any, n: Any, size: Any) -> Any:
    """``size`` permutations of 0 … n - 1, one after the other."""
    if np.ndim(n):
        raise ValueError(f"permutation: n must be a number, not of shape {np.shape(n)}")
    shape = () if size is None else tuple(size)
    out = np.empty((*shape, int(n)), np.int64)
    for index in np.ndindex(*shape):
        out[index] = random_state.permutation(int(n))
    return out


def multinomial_helper(random_state: Any, n: Any, pvals: Any, size: Any) -> Any:
    """Counts over the last axis of ``pvals``; ``n`` and its other axes broadcast to ``size``."""
    probabilities = pvals.astype("float64")
    if size is None:
        size = np.broadcast_shapes(np.shape(n), probabilities.shape[:-1])
    trials = np.broadcast_to(n, size)
    rows = np.broadcast_to(probabilities, (*size, probabilities.shape[-1]))
    out = np.empty(rows.shape, np.int64)
    for index in np.ndindex(*size):
        row = rows[index]
        total = row.sum()
        if 1 < total <= 1 + 1e-5:  # float32 rows add up to a little more than NumPy allows
            row = row / total
        out[index] = random_state.multinomial(int(trials[index]), row)
    return out
