"""Linking our own object code without LLVM: ELF64 relocatable files for x86-64 Linux.

A warm start then needs no compiler at all. Only what LLVM emits for our modules is understood
(position-independent code, small code model); for anything else `load` raises `NotLinkable`, and
the caller lets LLVM link. Memory is first writable, then either executable, read-only or
writable; never writable and executable at once. Relocations follow the System V ABI, AMD64
Architecture Processor Supplement, table 4.9 (S: symbol, A: addend, P: place, G: entry of the
table of addresses).
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import struct
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MAGIC: Final = b"\x7fELF\x02\x01\x01"  # 64 bits, little endian, version 1
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _SYMTAB, _RELA, _NOBITS, _UNWIND = 1, 2, 4, 8, 0x70000001
_WRITE, _ALLOC, _EXEC = 1, 2, 4
_KNOWN_FLAGS: Final = 0x77  # besides the three: MERGE, STRINGS, INFO_LINK
_UNDEFINED, _ABSOLUTE, _RESERVED = 0, 0xFFF1, 0xFF00
_SECTION, _HEADER, _SYMBOL, _RELOCATION = "<IIQQQQIIQQ", "<16xHHIQQQIHHHHHH", "<IBBHQQ", "<QQq"
# kinds of relocation: 8 bytes S+A; 4 bytes S+A-P; the same to a stub; 4 bytes G+A-P
_R_64: Final = 1
_R_PC32: Final = 2
_R_PLT32: Final = 4
_R_GOT: Final = frozenset({9, 41, 42})
_STUB: Final = b"\xff\x25"  # jmp [rip + offset]
_STUB_SIZE: Final = 8
_FAILED: Final = ctypes.c_void_p(-1).value


class NotLinkable(Exception):
    """The object code has something in it that is not known here."""


class Section(NamedTuple):
    """One row of the section table."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int


class Symbol(NamedTuple):
    """One symbol: ``section`` is its index, 0 for one that is defined elsewhere."""

    name: str
    section: int
    value: int
    internal: bool


class Memory:
    """Memory of linked code; given back when this object dies, unless the interpreter ends."""

    __slots__ = ("_unmap", "address", "size")

    def __init__(self, size: int) -> None:
        found = _libc().mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE,
                             mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)  # fmt: skip
        if found is None or found == _FAILED:
            raise NotLinkable("no memory can be mapped")
        self.address: int = found
        self.size = size
        self._unmap = _libc().munmap

    def protect(self, start: int, size: int, rights: int) -> None:
        """Set the rights of whole pages."""
        if size and _libc().mprotect(self.address + start, size, rights):
            raise NotLinkable("memory cannot be made executable")

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # Late threads and destructors may still run code while Python shuts down (and clears the
        # names of modules, hence the default).
        if not finalizing() and hasattr(self, "_unmap"):
            self._unmap(self.address, self.size)


@functools.cache
def _libc() -> Any:
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int,
                          ctypes.c_int, ctypes.c_ssize_t)  # fmt: skip
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return libc


@functools.cache
def supported() -> bool:
    """Whether this system's object files can be linked here."""
    return sys.platform == "linux" and os.uname().machine == "x86_64" and sys.maxsize > 2**32


def load(
    code: bytes, exports: Sequence[str] | None, imports: Mapping[str, int]
) -> tuple[dict[str, int], object]:
    """Link an object file; return (address of every export, owner of the memory).

    Parameters
    ----------
    code
        An ELF relocatable file.
    exports
        Symbols whose addresses are wanted; None for all that are not internal.
    imports
        Addresses of symbols that it uses; those of the C library are known besides.

    Raises NotLinkable for anything unknown, and for symbols that are missing.
    """
    if not supported():
        raise NotLinkable("not x86-64 Linux")
    try:
        return _Linker(code, imports).link(exports)
    except (struct.error, IndexError, KeyError, UnicodeDecodeError) as error:
        raise NotLinkable(f"{type(error).__name__}: {error}") from error


class _Linker:
    """One object file on its way into memory."""

    def __init__(self, code: bytes, imports: Mapping[str, int]) -> None:
        self.code = code
        self.imports = imports
        self.sections = self._sections()
        self.symbols = self._symbols()
        self.places: dict[int, int] = {}  # section -> offset in the image
        self.table: dict[int, int] = {}  # symbol -> offset of its address in the image
        self.stubs: dict[int, int] = {}
        self.base = 0

    def _sections(self) -> list[Section]:
        code = self.code
        if not code.startswith(_MAGIC):
            raise NotLinkable("not an ELF64 file")
        kind, machine, *_, start, _, _, _, _, size, count, _ = struct.unpack_from(_HEADER, code)
        if (kind, machine, size) != (_RELOCATABLE, _X86_64, struct.calcsize(_SECTION)):
            raise NotLinkable("not relocatable x86-64 code")
        if start + count * size > len(code):
            raise NotLinkable("the file is truncated")
        found = [Section(*row) for row in
                 struct.iter_unpack(_SECTION, code[start : start + count * size])]  # fmt: skip
        for s in found:
            inside = s.kind == _NOBITS or s.offset + s.size <= len(code)
            if not inside or (s.flags & _ALLOC and s.flags & ~_KNOWN_FLAGS):
                raise NotLinkable("a section is truncated or of an unknown kind")
            if s.flags & _ALLOC and s.kind not in (_PROGBITS, _NOBITS, _UNWIND):
                raise NotLinkable(f"a section of kind {s.kind}")
            if s.flags & _ALLOC and s.flags & _WRITE and s.flags & _EXEC:
                raise NotLinkable("a section that is writable and executable")
        return found

    def _symbols(self) -> list[Symbol]:
        tables = [s for s in self.sections if s.kind == _SYMTAB]
        if len(tables) != 1:
            raise NotLinkable("no symbol table")
        table = tables[0]
        names = self.sections[table.link]
        strings = self.code[names.offset : names.offset + names.size]
        found = []
        for name, info, _, section, value, _ in struct.iter_unpack(
            _SYMBOL, self.code[table.offset : table.offset + table.size]
        ):
            if info & 15 > 4 or (section >= _RESERVED and section != _ABSOLUTE):
                raise NotLinkable("a symbol of an unknown kind")
            text = strings[name : strings.index(b"\0", name)].decode()
            found.append(Symbol(text, section, value, info >> 4 == 0))
        return found

    def link(self, exports: Sequence[str] | None) -> tuple[dict[str, int], object]:
        """Lay out, relocate, protect."""
        relocations = self._relocations()
        bounds = self._lay_out(relocations)
        image = bytearray(bounds[-1])
        for number, place in self.places.items():
            s = self.sections[number]
            if s.kind != _NOBITS:
                image[place : place + s.size] = self.code[s.offset : s.offset + s.size]
        memory = Memory(len(image))
        self.base = memory.address
        for number, place in self.table.items():
            struct.pack_into("<Q", image, place, self._address(number))
        for number, place in self.stubs.items():
            image[place : place + 2] = _STUB
            struct.pack_into("<i", image, place + 2, self.table[number] - place - 6)
        for section, rows in relocations:
            start, size = self.places[section], self.sections[section].size
            for row in rows:
                self._apply(image, start, size, row)
        ctypes.memmove(memory.address, bytes(image), len(image))
        memory.protect(0, bounds[0], mmap.PROT_READ | mmap.PROT_EXEC)
        memory.protect(bounds[0], bounds[1] - bounds[0], mmap.PROT_READ)
        return self._exported(exports), memory

    def _relocations(self) -> list[tuple[int, list[tuple[int, int, int]]]]:
        """Per section that is loaded: (offset, kind and symbol, addend) of its relocations."""
        found = []
        for s in self.sections:
            target = self.sections[s.info] if s.kind in (_RELA, 9) else None
            if target is None or not target.flags & _ALLOC or target.kind == _UNWIND:
                continue
            if s.kind != _RELA:
                raise NotLinkable("relocations without addends")
            rows = self.code[s.offset : s.offset + s.size]
            found.append((s.info, list(struct.iter_unpack(_RELOCATION, rows))))
        return found

    def _lay_out(self, relocations: Sequence[tuple[int, Any]]) -> tuple[int, int, int]:
        """Give everything a place: code and stubs, constants and addresses, variables.

        Returns the ends of the three parts, multiples of the page size.
        """
        ends = []
        at = 0
        for rights in (_EXEC, 0, _WRITE):
            for number, s in enumerate(self.sections):
                loaded = s.flags & _ALLOC and s.kind != _UNWIND
                if loaded and s.flags & (_EXEC | _WRITE) == rights:
                    at = _up(at, max(1, s.align))
                    self.places[number] = at
                    at += s.size
            if rights == _EXEC:
                at = self._place_extras(relocations, _up(at, 16))
            elif rights == 0:
                at = _up(at, 8)
                self.table = {number: at + 8 * i for i, number in enumerate(self.table)}
                at += 8 * len(self.table)
            at = _up(at, mmap.PAGESIZE)
            ends.append(at)
        return ends[0], ends[1], max(ends[2], mmap.PAGESIZE)

    def _place_extras(self, relocations: Sequence[tuple[int, Any]], at: int) -> int:
        """Find the symbols that need a stub or an entry of the table."""
        for _, rows in relocations:
            for _, info, _ in rows:
                kind, number = info & 0xFFFFFFFF, info >> 32
                if kind in _R_GOT:
                    self.table[number] = 0
                elif kind == _R_PLT32 and self.symbols[number].section == _UNDEFINED:
                    self.table[number] = self.stubs[number] = 0
        self.stubs = {number: at + _STUB_SIZE * i for i, number in enumerate(self.stubs)}
        return at + _STUB_SIZE * len(self.stubs)

    def _address(self, number: int) -> int:
        """The address of a symbol."""
        symbol = self.symbols[number]
        if symbol.section == _ABSOLUTE:
            return symbol.value
        if symbol.section != _UNDEFINED:
            return self.base + self.places[symbol.section] + symbol.value
        address = self.imports.get(symbol.name) or _in_process(symbol.name)
        if not address:
            raise NotLinkable(f"the symbol {symbol.name!r} is not known")
        return address

    def _apply(self, image: bytearray, start: int, size: int, row: tuple[int, int, int]) -> None:
        offset, info, addend = row
        kind, number = info & 0xFFFFFFFF, info >> 32
        if offset + (8 if kind == _R_64 else 4) > size:
            raise NotLinkable("a relocation outside of its section")
        place = start + offset
        if kind == _R_64:
            value = (self._address(number) + addend) % 2**64
            struct.pack_into("<Q", image, place, value)
            return
        if kind in _R_GOT:
            target = self.base + self.table[number]
        elif kind == _R_PLT32 and number in self.stubs:
            target = self.base + self.stubs[number]
        elif kind in (_R_PC32, _R_PLT32):
            target = self._address(number)
        else:
            raise NotLinkable(f"a relocation of kind {kind}")
        # struct.error where the distance does not fit into 32 bits
        struct.pack_into("<i", image, place, target + addend - self.base - place)

    def _exported(self, exports: Sequence[str] | None) -> dict[str, int]:
        defined = {
            s.name: i
            for i, s in enumerate(self.symbols)
            if s.section != _UNDEFINED and not s.internal
        }
        if exports is None:
            return {name: self._address(i) for name, i in defined.items()}
        missing = [name for name in exports if name not in defined]
        if missing:
            raise NotLinkable(f"it does not define {', '.join(missing)}")
        return {name: self._address(defined[name]) for name in exports}


def _up(value: int, align: int) -> int:
    return -(-value // align) * align


def _in_process(name: str) -> int:
    """Address of a function of the C library or of the interpreter; 0 if there is none."""
    try:
        return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0
    except AttributeError:
        return 0
