"""``theano.sandbox.rng_mrg``: the generator MRG31k3p."""

from theano.ops.random_mrg import ff_2p72, ff_2p134, mrg_uniform
from theano.runtime.routines.random import M1, M2
from theano.tensor.random.mrg import MRG_RandomStreams, guess_n_streams

__all__ = [
    "M1",
    "M2",
    "MRG_RandomStreams",
    "ff_2p72",
    "ff_2p134",
    "guess_n_streams",
    "mrg_uniform",
]
