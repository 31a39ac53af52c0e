"""Graph builders by their registered names, and variables in a line, for tests of single rooms."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

import theano.ops
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType

for _module in pkgutil.iter_modules(theano.ops.__path__):
    importlib.import_module(f"theano.ops.{_module.name}")


class _Ops:
    """``t.name(...)`` calls the builder registered as ``name``."""

    def __getattr__(self, name: str) -> Any:
        return functools.partial(apply, name)


t = _Ops()


def var(name: str | None = None, ndim: int = 0, dtype: str = "float64") -> Any:
    """A variable of unknown extents."""
    return TensorType(dtype, shape=(None,) * ndim)(name)
