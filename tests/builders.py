"""What tests of several rooms share: builders by their registered names, variables, ways to run."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

import theano
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


MODES = {
    "native": theano.Mode(linker="cvm", optimizer="fast_run"),
    "reference": theano.Mode(linker="py", optimizer="fast_run"),
}
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
EVERY_MODE = {
    **MODES,
    "compile": "FAST_COMPILE",
    "native, not rewritten": theano.Mode(linker="cvm", optimizer=None),
    "reference, not rewritten": theano.Mode(linker="py", optimizer=None),
}
every_mode = pytest.mark.parametrize("mode", EVERY_MODE.values(), ids=EVERY_MODE)


def value(out: Any, given: dict[Any, Any], mode: Any) -> Any:
    """``out`` through ``theano.function``; its dtype is that of the variable."""
    f = theano.function(list(given), out, mode=mode, on_unused_input="ignore")
    result = f(*given.values())
    assert result.dtype == out.dtype
    assert result.ndim == out.ndim
    return result


def in_threads(work: Callable[[Any], object], arguments: Iterable[Any]) -> None:
    """``work`` on each argument, all at once, each in a thread of its own, until all have ended."""
    threads = [threading.Thread(target=work, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
