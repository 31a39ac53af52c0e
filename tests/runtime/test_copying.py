"""``th_copy`` against NumPy's assignment."""

import ctypes

import numpy as np
import pytest

INTEGER, POINTER = ctypes.c_int64, ctypes.c_void_p


def words(values):
    return (ctypes.c_int64 * max(1, len(values)))(*values)


@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64", "complex128"])
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x, lambda x: x.T,
        lambda x: x[::-1, ::2], lambda x: x[:0], lambda x: x[2, 3, 1, ...],
        lambda x: x[:, None, 1], lambda x: np.broadcast_to(x, (3, *x.shape)), lambda x: x[1, 2],
        lambda x: x.transpose(1, 0, 2), lambda x: x[:, :, :0],
    ],
)  # fmt: skip
def test_copy(helpers, dtype, view):
    run = ctypes.CFUNCTYPE(None, INTEGER, *[POINTER] * 5, INTEGER)(
        helpers.library("copy")["th_copy"]
    )
    source = view(np.arange(120).astype(dtype).reshape(4, 5, 6))
    for target in (np.zeros(source.shape, dtype), np.zeros(source.shape[::-1], dtype).T):
        dims, to, from_ = map(words, (source.shape, target.strides, source.strides))
        run(source.ndim, ctypes.addressof(dims), target.ctypes.data, ctypes.addressof(to),
            source.ctypes.data, ctypes.addressof(from_), source.itemsize)  # fmt: skip
        assert (target == source).all()
