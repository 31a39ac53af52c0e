"""x log x and x log y, 0 where x is 0."""

from typing import Any

from theano.ops.elementwise import xlogx, xlogy0

__all__ = ["xlogx", "xlogy0"]


def __getattr__(name: str) -> Any:
    if name in ("XlogX", "XlogY0"):  # scalar ops: their module is loaded when it is asked for
        from theano.ops.scalar_library import CLASSES

        return CLASSES[name]
    raise AttributeError(f"module 'theano.tensor.xlogx' has no attribute {name!r}")
