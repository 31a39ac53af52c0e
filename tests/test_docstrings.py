"""The examples in the docstrings of every module are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import theano

_OPTIONAL = ("theano.backends.opencl", "theano.backends.cuda", "theano.viz")
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(theano.__path__, "theano.")
    if "._legacy" not in found.name
    and found.name != "theano.sandbox.cuda"
    and not found.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_hold(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if name.startswith(_OPTIONAL) and not (error.name or "").startswith("theano"):
            pytest.skip(f"needs {error.name}")
        raise
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    failed, _ = doctest.testmod(module, optionflags=flags)
    assert not failed
