"""LLVM without ``llvmlite.binding``: the same processor, the same object code, and when not."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import Any

import pytest

from theano.backends.cpu import compiler, llvm

pytest.importorskip("llvmlite")

if llvm.open_library() is None:
    pytest.skip("llvmlite is used here as it is", allow_module_level=True)

TEXT = """
define double @twice(double %x) {
  %y = fmul double %x, 2.0
  ret double %y
}
define <16 x float> @sum(ptr %p) {
  %a = load <16 x float>, ptr %p, align 4
  %b = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %a, <16 x float> %a, <16 x float> %a)
  ret <16 x float> %b
}
declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""


def size_of(kind: Any) -> Any:
    """Pointers are alike: llvmlite has a class for each kind of object."""
    if kind is None or kind is ctypes.c_int:
        return "int or nothing"
    simple = (ctypes.c_uint, ctypes.c_size_t)
    return kind if kind in simple else "pointer"


def test_the_functions_are_those_that_llvmlite_declares() -> None:
    from llvmlite import binding
    from llvmlite.binding import context

    assert context is not None
    for name, (result, arguments) in llvm.FUNCTIONS.items():
        function = getattr(binding.ffi.lib, f"LLVMPY_{name}")
        declared = function.argtypes
        if declared is not None:
            assert [size_of(k) for k in declared] == [size_of(k) for k in arguments], name
        assert size_of(function.restype) == size_of(result), name


def test_the_host_is_the_one_that_llvmlite_finds() -> None:
    generator, engine = compiler._start_generator(), compiler._engine()
    assert generator.host == engine.host


@pytest.mark.parametrize("quick", [False, True])
def test_the_object_code_is_the_same(quick: bool) -> None:
    generator, engine = compiler._start_generator(), compiler._engine()
    code = generator.emit(TEXT, quick)
    assert code == compiler._emit_by_engine(engine, TEXT, quick)


def test_wrong_text_is_reported() -> None:
    generator = compiler._start_generator()
    for _ in range(3):
        with pytest.raises(RuntimeError, match=r"parsing error[\s\S]*twicer"):
            generator.emit(TEXT.replace("ret double %y", "ret double %twicer"), True)
    assert generator.emit(TEXT, True)


@pytest.mark.parametrize("broken", ["version", "function", "platform"])
def test_llvmlite_itself_is_used_where_its_library_is_not_known(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if broken == "version":
        monkeypatch.setattr(llvm, "VERSIONS", ("0.1",))
    elif broken == "platform":
        monkeypatch.setattr(llvm.platform, "machine", lambda: "riscv64")
    else:
        monkeypatch.setitem(llvm.FUNCTIONS, "DoesNotExist", (None, ()))
    monkeypatch.setattr(compiler, "_generators", [])
    made = compiler.compile_module(TEXT, ["twice"], {})
    twice = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(made["twice"])
    assert twice(21) == 42
    assert compiler._generators[0].host == compiler._engine().host


def test_a_function_needs_only_the_library(tmp_path: Any) -> None:
    code = (
        "import sys, theano, theano.tensor as T\n"
        "x = T.dvector()\n"
        "print(theano.function([x], (x * 2).sum())([1, 2, 3]))\n"
        "print('llvmlite.binding' in sys.modules)\n"
    )
    command = [sys.executable, "-c", code]
    flags = {"THEANO_FLAGS": f"compiledir={tmp_path}"}
    done = subprocess.run(
        command, env={**os.environ, **flags}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["12.0", "False"]
