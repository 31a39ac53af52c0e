"""Random numbers: three families of streams.

`RandomStream` (Philox4x32-10) is the one to use: samples are elementwise, fuse, run in parallel,
and take parameters as `numpy.random.Generator` does. `MRG_RandomStreams` (MRG31k3p) and
`theano.tensor.shared_randomstreams.RandomStreams` (NumPy's legacy RandomState) give the numbers of
old programs.

>>> import theano
>>> rng = RandomStream(1)
>>> coin = rng.bernoulli(0.5, size=(4,))
>>> theano.function([], coin)().shape
(4,)

The distributions as functions of a state are in `theano.tensor.random.distributions`, and here:

>>> start = state(seed=1)
>>> following, sample = normal(start, size=(2,))
"""

from theano.tensor.random import distributions, mrg, streams
from theano.tensor.random.distributions import *  # noqa: F403
from theano.tensor.random.distributions import distribution
from theano.tensor.random.mrg import MRG_RandomStreams
from theano.tensor.random.streams import RandomStream, state, state_value

__all__ = [
    "MRG_RandomStreams",
    "RandomStream",
    "distribution",
    "distributions",
    "mrg",
    "state",
    "state_value",
    "streams",
]
__all__ += distributions.DISTRIBUTIONS
