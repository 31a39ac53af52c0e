"""Max-pooling under its first address, ``theano.tensor.signal.downsample``."""

from typing import Any

from theano.ops.pool import AveragePoolGrad, DownsampleFactorMaxGradGrad, MaxPoolGrad, Pool
from theano.tensor.signal.pool import max_pool_2d_same_size, pool_2d


def max_pool_2d(
    input: Any, ds: Any, ignore_border: bool | None = None, st: Any = None,
    padding: Any = (0, 0), mode: str = "max",
) -> Any:  # fmt: skip
    """`pool_2d` with its first names: ``ds`` is the window, ``st`` the stride."""
    return pool_2d(input, ds, ignore_border, st, padding, mode)


DownsampleFactorMax = Pool
DownsampleFactorMaxGrad = MaxPoolGrad

__all__ = [
    "AveragePoolGrad",
    "DownsampleFactorMax",
    "DownsampleFactorMaxGrad",
    "DownsampleFactorMaxGradGrad",
    "max_pool_2d",
    "max_pool_2d_same_size",
]
