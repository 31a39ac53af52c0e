"""``RandomStreams``: random variables that draw anew at each call, as NumPy's ``RandomState`` does.

>>> import theano
>>> streams = RandomStreams(seed=234)
>>> f = theano.function([], streams.uniform((2, 2)))
>>> bool((f() != f()).all())
True
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.ops.random_state import RandomStateSharedVariable, randomstate_constructor
from theano.tensor.raw_random import RandomStreamsBase

__all__ = ["RandomStateSharedVariable", "RandomStreams", "randomstate_constructor"]


class RandomStreams(RandomStreamsBase):
    """Makes random variables; each owns a state, seeded from ``seed`` in the order of creation.

    Parameters
    ----------
    seed : what `numpy.random.RandomState` takes; None for an unpredictable one.

    A random variable has ``rng`` (its shared state) and ``update`` (the pair of the state and its
    next value, which functions apply by themselves). Used twice in a function it is one sample;
    functions that share it draw successive samples; ``no_default_updates=True`` repeats the same.

    ``state_updates`` lists the pairs of all variables made so far; ``streams[rv.rng]`` gets or sets
    a state; ``gen_seedgen`` is what seeds the next variable.

    >>> import theano
    >>> a, b = (RandomStreams(5).normal((3,)).eval() for _ in range(2))
    >>> bool((a == b).all())
    True
    """

    def __init__(self, seed: Any = None) -> None:
        self.state_updates: list[tuple[RandomStateSharedVariable, Any]] = []
        self.default_instance_seed = seed
        self.gen_seedgen = np.random.RandomState(seed)

    def updates(self) -> list[tuple[RandomStateSharedVariable, Any]]:
        """Pairs (state, next state) of all variables, for ``theano.function(updates=…)``."""
        return list(self.state_updates)

    def seed(self, seed: Any = None) -> None:
        """Seed all states anew; None means the seed that the object was made with."""
        if seed is None:
            seed = self.default_instance_seed
        self.gen_seedgen = np.random.RandomState(seed)
        for state, _ in self.state_updates:
            state.set_value(self._next(), borrow=True)

    def _next(self) -> Any:
        return np.random.RandomState(int(self.gen_seedgen.randint(2**30)))

    def __getitem__(self, item: Any) -> Any:
        """The RandomState of ``rv.rng``; KeyError for a state of another object."""
        return self._found(item).get_value(borrow=True)

    def __setitem__(self, item: Any, value: Any) -> None:
        """Replace the RandomState of ``rv.rng``."""
        if not isinstance(value, np.random.RandomState):
            raise TypeError(f"Only values of type RandomState are permitted, got {value!r}.")
        self._found(item).set_value(value, borrow=True)

    def _found(self, item: Any) -> RandomStateSharedVariable:
        own = {id(state): state for state, _ in self.state_updates}
        if id(item) not in own:
            raise KeyError(str(item))
        return own[id(item)]

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """A random variable ``op(state, …)[1]`` with a state of its own.

        ``op`` is any function of a random state that returns (new state, sample).
        """
        state = randomstate_constructor(self._next(), borrow=True)
        state.tag.is_rng = True
        new_state, sample = op(state, *args, **kwargs)
        sample.rng = state
        sample.update = (state, new_state)
        self.state_updates.append(sample.update)
        state.default_update = new_state
        return sample
