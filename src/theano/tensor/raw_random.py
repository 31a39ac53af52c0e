"""Random numbers as functions: each takes a random state and returns (new state, sample).

>>> import theano
>>> state = random_state_type("state")
>>> new_state, sample = uniform(state, size=(2, 3))
>>> f = theano.function([state], sample)
>>> import numpy as np
>>> f(np.random.RandomState(1)).shape
(2, 3)
"""

from __future__ import annotations

from typing import Any

from theano.graph.registry import apply
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import size_of, sizes_of
from theano.ops.random_helpers import (
    choice_helper,
    multinomial_helper,
    permutation_helper,
    random_integers_helper,
)
from theano.ops.random_legacy import (
    RandomFunction,
    RandomStateType,
    _infer_ndim_bcast,
    binomial,
    choice,
    multinomial,
    normal,
    permutation,
    poisson,
    random_integers,
    random_state_type,
    uniform,
)

__all__ = [
    "RandomFunction",
    "RandomStateType",
    "RandomStreamsBase",
    "_infer_ndim_bcast",
    "binomial",
    "choice",
    "choice_helper",
    "multinomial",
    "multinomial_helper",
    "normal",
    "permutation",
    "permutation_helper",
    "poisson",
    "random_integers",
    "random_integers_helper",
    "random_state_type",
    "uniform",
]


class RandomStreamsBase:
    """The distributions as methods; a subclass's ``gen(op, …)`` draws with ``op``."""

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """A sample of ``op(state, …)`` for a state of this object."""
        raise NotImplementedError(f"{type(self).__name__}.gen")

    def uniform(self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
                dtype: str | None = None) -> Any:  # fmt: skip
        """Uniform numbers from ``low`` (included) to ``high`` (excluded)."""
        return self.gen(uniform, size, low, high, ndim=ndim, dtype=dtype)

    def normal(self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
               dtype: str | None = None) -> Any:  # fmt: skip
        """Normal numbers of mean ``avg`` and standard deviation ``std``."""
        return self.gen(normal, size, avg, std, ndim=ndim, dtype=dtype)

    def binomial(self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
                 dtype: str = "int64", prob: Any = None) -> Any:  # fmt: skip
        """How many of ``n`` trials succeed, each with probability ``p``."""
        return self.gen(binomial, size, n, p if prob is None else prob, ndim=ndim, dtype=dtype)

    def poisson(self, size: Any = None, lam: Any = 1.0, ndim: int | None = None,
                dtype: str = "int64") -> Any:  # fmt: skip
        """Poisson numbers of mean ``lam``."""
        return self.gen(poisson, size, lam, ndim=ndim, dtype=dtype)

    def random_integers(self, size: Any = None, low: Any = 0, high: Any = 1,
                        ndim: int | None = None, dtype: str = "int64") -> Any:  # fmt: skip
        """Integers from ``low`` to ``high``, both included."""
        return self.gen(random_integers, size, low, high, ndim=ndim, dtype=dtype)

    def choice(self, size: Any = None, a: Any = 2, replace: Any = True, p: Any = None,
               ndim: int | None = None, dtype: str = "int64") -> Any:  # fmt: skip
        """Elements of the vector ``a``, or of 0 … a - 1, with probabilities ``p``."""
        return self.gen(choice, size, a, replace, p, ndim=ndim, dtype=dtype)

    def permutation(self, size: Any = None, n: Any = 1, ndim: int | None = None,
                    dtype: str = "int64") -> Any:  # fmt: skip
        """Permutations of 0 … n - 1, along a last axis that is added to ``size``."""
        return self.gen(permutation, size, n, ndim=ndim, dtype=dtype)

    def multinomial(self, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5),
                    ndim: int | None = None, dtype: str = "int64") -> Any:  # fmt: skip
        """Counts of ``n`` trials over the categories of the last axis of ``pvals``."""
        return self.gen(multinomial, size, n, pvals, ndim=ndim, dtype=dtype)

    def shuffle_row_elements(self, input: Any) -> Any:
        """The elements of each row (along the last axis) in random order."""
        x = as_tensor_variable(input)
        *leading, last = sizes_of(x)
        order = self.permutation(size=tuple(leading), n=last, ndim=len(leading))
        if x.type.ndim == 1:
            return x[order]
        index = [_positions(x, axis) for axis in range(x.type.ndim - 1)]
        return x[(*index, order)]


def _positions(x: Any, axis: int) -> Any:
    """0, 1, … along ``axis``, of extent 1 along the others."""
    order: list[int | str] = ["x"] * x.type.ndim
    order[axis] = 0
    return apply("dimshuffle", apply("arange", size_of(x, axis), dtype="int64"), *order)
