"""``theano.misc.safe_asarray``."""

import numpy as np


def _asarray(a, dtype, order=None):
    """``a`` as an array of exactly ``dtype`` ('floatX' allowed)."""
    from theano.core.dtypes import dtype_name

    return np.asarray(a, dtype=dtype_name(dtype), order=order)
