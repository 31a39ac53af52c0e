"""Compiled helper libraries shared by the tests of this folder."""

import ctypes

import pytest

from theano.backends.cpu import compiler
from theano.runtime import blas, gemm, support

POINTER = ctypes.c_void_p
INTEGER = ctypes.c_int64


@pytest.fixture(scope="session")
def make_support():
    """Return a factory of helper libraries whose IR is verified."""
    usable, reason = compiler.available()
    if not usable:
        pytest.skip(reason)
    host = compiler.host_features()

    def make(choice="none", vector_bytes=host.vector_bytes, registers=host.vector_registers):
        target = support.Target(host.architecture, vector_bytes, registers)

        def compile_checked(recipe):
            text = recipe.text()
            bound = recipe.bind(text)
            return compiler.compile_module(text.ir, recipe.exports, bound, verify=True)

        return support.Support(compile_checked, target, blas.find(choice))

    return make


@pytest.fixture(scope="session")
def helpers(make_support):
    """Return helper libraries without BLAS."""
    return make_support()


@pytest.fixture(params=["none", "", "scipy"], scope="module")
def library(request, make_support):
    """Own loops, the BLAS of this machine, and SciPy's Fortran pointers."""
    if request.param != "none" and blas.find(request.param) is None:
        pytest.skip("no BLAS here")
    return make_support(request.param)


@pytest.fixture
def prefer_blas(monkeypatch):
    """Let the BLAS of this machine be called, however narrow its vectors are."""
    monkeypatch.setattr(gemm.GemmText, "_prefer", staticmethod(lambda library, target: True))
