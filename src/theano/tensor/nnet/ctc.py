"""Connectionist temporal classification, native: nothing needs to be installed.

>>> import theano.tensor as T
>>> from theano.tensor.nnet.ctc import ctc
>>> ctc(T.ftensor3("activations"), T.imatrix("labels"), T.ivector("lengths")).ndim
1
"""

from theano.ops.ctc import ConnectionistTemporalClassification, ctc

__all__ = ["ConnectionistTemporalClassification", "ctc", "ctc_available"]


def ctc_available() -> bool:
    """True: it is part of this library."""
    return True
