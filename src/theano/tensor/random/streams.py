"""``RandomStream``: random variables on the counter-based generator Philox4x32-10."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Final

import numpy as np

from theano.graph.shared import TensorSharedVariable
from theano.graph.tensor_type import TensorType
from theano.tensor.random import distributions

_STATE: Final = TensorType("uint64", shape=(2,))
_LIMIT: Final = 2**32


def state_value(seed: Any = None, stream: int = 0) -> Any:
    """The state of the first call: a uint64 vector of the key and the number of the call.

    Parameters
    ----------
    seed : an int from 0 to 2^32 - 1 is taken as it is; larger ones and sequences of ints are hashed
        by `numpy.random.SeedSequence`; None is unpredictable.
    stream : from 0 to 2^32 - 1; streams of one seed have nothing in common.

    >>> state_value(3, stream=1).tolist()
    [4294967299, 0]
    """
    if not isinstance(seed, (int, np.integer)) or seed >= _LIMIT:
        seed = np.random.SeedSequence(seed).generate_state(1)[0]
    if seed < 0 or not 0 <= stream < _LIMIT:
        raise ValueError(f"seed must not be negative, got {seed}; stream: 0 … 2^32 - 1, {stream}")
    return np.array([int(seed) | int(stream) << 32, 0], dtype=np.uint64)


def state(seed: Any = None, stream: int = 0, name: str | None = None) -> TensorSharedVariable:
    """A shared variable with the state of `state_value`."""
    return TensorSharedVariable(name, _STATE, state_value(seed, stream))


class RandomStream:
    """Makes random variables with the parameters and names of `numpy.random.Generator`.

    Parameters
    ----------
    seed : an int, a sequence of ints, or None for an unpredictable one.

    Each variable has a state of its own, a stream of the seed: ``rv.rng`` is its shared state,
    ``rv.update`` the pair of state and next state. Functions that use a variable advance its state
    at each call, unless ``no_default_updates`` says otherwise; used twice in one function it is one
    sample. ``updates()`` and ``state_updates`` list all pairs, ``seed()`` starts anew.

    Samples are elementwise functions of the state: they fuse with what uses them, and do not depend
    on the backend or the number of threads (up to the rounding of log and cos). Gradients flow to
    parameters of location and scale.

    The methods are those of `theano.tensor.random.distributions`, without the state:
    ``rng.normal(loc, scale, size=None, dtype=None)``. ``size`` is None (the parameters' shape), an
    int, a sequence of ints and 0-d variables, or an integer vector of known length.

    >>> import theano
    >>> rng = RandomStream(42)
    >>> noise = rng.normal(size=(2, 3), dtype="float32")
    >>> f = theano.function([], noise)
    >>> bool((f() == f()).any())
    False
    """

    def __init__(self, seed: Any = None) -> None:
        self.default_instance_seed = seed
        self.state_updates: list[tuple[TensorSharedVariable, Any]] = []
        self._seed = self._whole(seed)

    @staticmethod
    def _whole(seed: Any) -> int:
        """One seed for all streams, where the given one is hashed or drawn."""
        return int(state_value(seed)[0]) & (_LIMIT - 1)

    def updates(self) -> list[tuple[TensorSharedVariable, Any]]:
        """Pairs (state, next state) of all variables, for ``theano.function(updates=…)``."""
        return list(self.state_updates)

    def seed(self, seed: Any = None) -> None:
        """Seed all variables anew; None means the seed that the object was made with."""
        if seed is not None:
            self._seed = self._whole(seed)
        elif self.default_instance_seed is not None:
            self._seed = self._whole(self.default_instance_seed)
        for stream, (old, _) in enumerate(self.state_updates):
            old.set_value(state_value(self._seed, stream), borrow=True)

    def gen(self, draw: Any, *args: Any, **kwargs: Any) -> Any:
        """A random variable ``draw(state, …)[1]`` with a state of its own.

        ``draw`` is a function of a state that returns (next state, sample), such as those of
        `theano.tensor.random.distributions`.
        """
        own = state(self._seed, len(self.state_updates))
        own.tag.is_rng = True
        new, sample = draw(own, *args, **kwargs)
        sample.rng, sample.update = own, (own, new)
        own.default_update = new
        self.state_updates.append(sample.update)
        return sample

    def __getattr__(self, name: str) -> Any:
        # A distribution that was entered into the table by a user.
        row = distributions.DISTRIBUTIONS.get(name)
        if row is None:
            raise AttributeError(f"RandomStream has no distribution {name!r}")
        return _method(row).__get__(self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *distributions.DISTRIBUTIONS})


def _method(draw: Any) -> Any:
    """The method of `RandomStream` that draws from a distribution."""

    @functools.wraps(draw)
    def method(self: RandomStream, *args: Any, **kwargs: Any) -> Any:
        return self.gen(draw, *args, **kwargs)

    signature = inspect.signature(draw)
    first, *others = signature.parameters.values()
    parameters = [first.replace(name="self"), *others]
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters, return_annotation=inspect.Signature.empty
    )
    return method


for _name, _draw in distributions.DISTRIBUTIONS.items():
    setattr(RandomStream, _name, _method(_draw))
