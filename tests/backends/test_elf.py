"""The ELF linker: our own object code linked without LLVM behaves as LLVM links it."""

from __future__ import annotations

import ctypes
import gc
import struct
from pathlib import Path

import pytest

from theano.backends.cpu import compiler, elf
from theano.runtime import memory
from theano.runtime.cache import ObjectCache

pytestmark = [
    pytest.mark.skipif(not elf.supported(), reason="object files of another system"),
    pytest.mark.skipif(not compiler.available()[0], reason="no LLVM"),
]

TEXT = """
declare double @cos(double)
declare i64 @outer(i64)
@outside = external global i64
@counter = global i64 5
@zeros = internal global [40 x i64] zeroinitializer
@table = internal constant [4 x i64] [i64 10, i64 20, i64 30, i64 40]
@where = global ptr @counter

define i64 @look(i64 %i) {
  %p = getelementptr [4 x i64], ptr @table, i64 0, i64 %i
  %v = load i64, ptr %p
  ret i64 %v
}
define i64 @count() {
  %q = load ptr, ptr @where
  %v = load i64, ptr %q
  %w = add i64 %v, 1
  store i64 %w, ptr @counter
  %z = getelementptr [40 x i64], ptr @zeros, i64 0, i64 39
  %o = load i64, ptr %z
  %r = add i64 %w, %o
  ret i64 %r
}
define i64 @imports(i64 %x) {
  %v = load i64, ptr @outside
  %y = call i64 @outer(i64 %x)
  %r = add i64 %v, %y
  ret i64 %r
}
define double @library(double %x) {
  %y = call double @cos(double %x)
  %z = fadd double %y, 0.3
  ret double %z
}
define i64 @nested(i64 %x) {
  %y = call i64 @look(i64 %x)
  %z = call i64 @imports(i64 %y)
  ret i64 %z
}
"""
EXPORTS = ["look", "count", "imports", "library", "nested", "counter"]
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
_twice = CALLBACK(lambda x: 2 * x)
_outside = ctypes.c_int64(1000)


def imports() -> dict[str, int]:
    return {
        "outer": ctypes.cast(_twice, ctypes.c_void_p).value or 0,
        "outside": ctypes.addressof(_outside),
    }


@pytest.fixture(scope="module")
def code() -> bytes:
    return compiler.generate(TEXT, verify=True)


def results(addresses: dict[str, int]) -> list[float]:
    def integer(name: str) -> object:
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(addresses[name])

    look, nested, imported = integer("look"), integer("nested"), integer("imports")
    count = ctypes.CFUNCTYPE(ctypes.c_int64)(addresses["count"])
    library = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(addresses["library"])
    found = [look(i) for i in range(4)] + [nested(2), imported(7)]
    return [*found, count(), count(), library(0.5), library(0.0)]


def test_same_results_as_linked_by_llvm(code: bytes) -> None:
    own, owner = elf.load(code, EXPORTS, imports())
    with compiler._llvm() as engine:
        other, tracker = compiler._link_with_llvm(engine, code, EXPORTS, imports())
    assert results(own) == results(other)
    assert results(own)[:6] == [10, 20, 30, 40, 1060, 1014]
    del owner, tracker


def test_copies_have_variables_of_their_own(code: bytes) -> None:
    first, a = elf.load(code, EXPORTS, imports())
    second, b = elf.load(code, EXPORTS, imports())
    count = ctypes.CFUNCTYPE(ctypes.c_int64)
    assert [count(first["count"])() for _ in range(3)] == [6, 7, 8]
    assert count(second["count"])() == 6
    assert ctypes.c_int64.from_address(first["counter"]).value == 8
    del a, b


def rights(address: int) -> str:
    with open("/proc/self/maps", encoding="utf-8") as file:
        for line in file:
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if low <= address < high:
                return line.split()[1][:3]
    return ""


def test_memory_is_never_writable_and_executable_and_is_given_back(code: bytes) -> None:
    addresses, owner = elf.load(code, EXPORTS, imports())
    assert rights(addresses["look"]) == "r-x"
    assert rights(addresses["counter"]) == "rw-"
    start, size = owner.address, owner.size
    assert {rights(at) for at in range(start, start + size, 4096)} == {"r-x", "r--", "rw-"}
    del owner
    gc.collect()
    with open("/proc/self/maps", encoding="utf-8") as file:
        assert f"{start:x}-" not in file.read()


def test_missing_symbols_are_told(code: bytes) -> None:
    with pytest.raises(elf.NotLinkable, match="outer"):
        elf.load(code, EXPORTS, {"outside": 1})
    with pytest.raises(elf.NotLinkable, match="absent"):
        elf.load(code, ["absent"], imports())


@pytest.mark.parametrize("size", [0, 3, 40, 63, 64, 200, 500, 900])
def test_truncated_files_are_refused(code: bytes, size: int) -> None:
    with pytest.raises(elf.NotLinkable):
        elf.load(code[:size], EXPORTS, imports())


def test_other_machines_and_kinds_of_files_are_refused(code: bytes) -> None:
    for offset, value in ((16, 3), (18, 183), (4, 1), (5, 2)):
        changed = bytearray(code)
        changed[offset] = value
        with pytest.raises(elf.NotLinkable):
            elf.load(bytes(changed), EXPORTS, imports())


def test_unknown_relocations_are_refused(code: bytes) -> None:
    start = struct.unpack_from("<Q", code, 40)[0]
    count = struct.unpack_from("<H", code, 60)[0]
    for number in range(count):
        kind = struct.unpack_from("<I", code, start + 64 * number + 4)[0]
        offset = struct.unpack_from("<Q", code, start + 64 * number + 24)[0]
        target = struct.unpack_from("<I", code, start + 64 * number + 44)[0]
        flags = struct.unpack_from("<Q", code, start + 64 * target + 8)[0]
        if kind == 4 and flags & 4:
            changed = bytearray(code)
            struct.pack_into("<I", changed, offset + 8, 11)  # R_X86_64_32S
            with pytest.raises(elf.NotLinkable, match="kind 11"):
                elf.load(bytes(changed), EXPORTS, imports())
            return
    raise AssertionError("no relocations of code")


def test_what_cannot_be_linked_goes_to_llvm(code: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise elf.NotLinkable("not today")

    monkeypatch.setattr(compiler.elf, "load", refuse)
    text = TEXT + "\n; by LLVM\n"
    module = compiler.compile_module(text, EXPORTS, imports())
    assert results(dict(module.addresses))[:4] == [10, 20, 30, 40]


def test_the_projects_own_helpers_link() -> None:
    needed = memory.imports()
    code = compiler.generate(memory.memory_ir(), verify=True)
    addresses, owner = elf.load(code, memory.EXPORTS, needed)
    alloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)(addresses["th_alloc"])
    free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(addresses["th_free"])
    block = alloc(1000)
    assert block
    assert block % 64 == 0
    ctypes.memset(block, 7, 1000)
    free(block)
    del owner


TWO_PARTS = """
declare i64 @outer(i64)
@shown = global i64 3
define i64 @first(i64 %x) {
  %y = call i64 @outer(i64 %x)
  ret i64 %y
}
; cold code
@shown = external global i64
declare i64 @first(i64)
declare i64 @outer(i64)
define i64 @second(i64 %x) {
  %y = call i64 @first(i64 %x)
  %z = call i64 @outer(i64 %y)
  %s = load i64, ptr @shown
  %r = add i64 %z, %s
  ret i64 %r
}
"""


@pytest.mark.parametrize("by_llvm", [False, True])
def test_cold_parts_call_hot_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by_llvm: bool
) -> None:
    if by_llvm:

        def refuse(*args: object) -> None:
            raise elf.NotLinkable("not today")

        monkeypatch.setattr(compiler.elf, "load", refuse)
    text = TWO_PARTS + f"; by LLVM: {by_llvm}\n"
    cache = ObjectCache(tmp_path)
    for stored in (False, True):
        compiler._linked.clear()
        module = compiler.compile_module(text, ["first", "second"], imports(), cache=cache)
        assert module.from_cache is stored
        second = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(module["second"])
        first = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(module["first"])
        assert (first(5), second(5)) == (10, 23)
    assert "second" in compiler.emit_assembly(text)
    assert "first" in compiler.emit_assembly(text)


def test_a_long_host_function_is_a_cold_part(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    import theano
    import theano.tensor as T
    from theano.backends.cpu import host

    monkeypatch.setattr(host, "_LONG", 10)
    x = T.dmatrix("x")
    f = theano.function([x], [T.exp(x).sum(axis=1), T.dot(x, x.T) + 7.25], mode="FAST_RUN")
    value = np.arange(6.0).reshape(2, 3)
    sums, product = f(value)
    assert np.allclose(sums, np.exp(value).sum(axis=1))
    assert np.allclose(product, value @ value.T + 7.25)
    assert compiler.COLD in f.maker.compiled.text
