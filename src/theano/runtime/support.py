"""The helper libraries that native code links against, compiled at first use.

`library` compiles one of the groups below and returns its symbols; nothing is compiled before a
function needs it. The compiler is passed in, since this package lies below the backends.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import TYPE_CHECKING, Final, Protocol

from theano.core.record import dataclass
from theano.runtime import copying, gemm, memory, mt19937, packing, threads, threads_text
from theano.runtime.routines import table
from theano.runtime.routines.base import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from theano.runtime.blas import Blas


#: The native form of routines, and what they return where they fail.
_ROUTINE: Final = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
_FAILED: Final = -1


class Library(Protocol):
    """Linked native code."""

    @property
    def addresses(self) -> Mapping[str, int]:
        """Address of every exported symbol."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a helper library is made.

    Attributes
    ----------
    name
        What its text is written for: the group, the processor, the BLAS.
    exports
        Symbols whose addresses are wanted.
    text
        Writes the module, which takes a while for some.
    bind
        The addresses of all that a text imports, other libraries included.
    """

    name: str
    exports: tuple[str, ...]
    text: Callable[[], Text]
    bind: Callable[[Text], dict[str, int]]


class Compiler(Protocol):
    """The part of a native compiler this module needs."""

    def __call__(self, recipe: Recipe, /) -> Library:
        """Return the linked module."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the helper libraries must know about the processor."""

    architecture: str
    vector_bytes: int
    vector_registers: int


def leak(value: object) -> None:
    """Keep ``value`` alive until the process ends, past the end of the interpreter.

    Worker threads and destructors of late arrays run helper code while Python shuts down.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))


class Support:
    """Symbols of the helper libraries, compiled on demand.

    Parameters
    ----------
    compiler
        Compiles LLVM IR text: ``compiler(recipe).addresses``.
    target
        The processor.
    blas
        The BLAS library in use, or None for own loops.
    brief
        Write shorter texts, which are compiled sooner and give the same results later.
    """

    def __init__(
        self, compiler: Compiler, target: Target, blas: Blas | None, *, brief: bool = False
    ) -> None:
        self._compiler = compiler
        self._target = target
        self._blas = blas
        self._brief = brief
        self._lock = threading.RLock()
        self._groups: dict[str, Mapping[str, int]] = {}
        self._late: dict[str, ctypes.c_void_p] = {}
        self._refused: set[str] = set()  # late ones that could not be compiled

    @property
    def blas(self) -> Blas | None:
        """The BLAS library that the gemm helpers call."""
        return self._blas

    def symbols(self, names: Sequence[str]) -> dict[str, int]:
        """Return name -> address for the helper symbols among ``names``, compiling if needed.

        Names that no helper library exports are left out.
        """
        found = {}
        for name in names:
            group = SYMBOL_GROUP.get(name)
            if group is not None:
                found[name] = self.library(group)[name]
            elif table.of_symbol(name) is not None:
                found[name] = self.library(name)[name]
        return found

    @property
    def loaded(self) -> tuple[str, ...]:
        """The groups that were compiled so far."""
        return tuple(self._groups)

    def library(self, group: str) -> Mapping[str, int]:
        """Return the symbols of a helper library: a key of `GROUPS`, or a routine's symbol."""
        with self._lock:
            if group not in self._groups:
                make = GROUPS.get(group)
                self._groups[group] = self._routine(group) if make is None else make(self)
                if group in self._late:
                    self._late[group].value = self._groups[group][group]
            return self._groups[group]

    def late(self, symbol: str) -> int:
        """Return the address of a cell with the address of a routine, compiled at its first call.

        Before that the cell holds the address of a function that compiles the routine and calls it;
        the call fails where the routine cannot be compiled.
        """
        with self._lock:
            if symbol not in self._late:
                found = self._groups.get(symbol, {}).get(symbol)
                first = _ROUTINE(functools.partial(self._first_call, symbol))
                cell = self._late[symbol] = ctypes.c_void_p(
                    found or ctypes.cast(first, ctypes.c_void_p).value
                )
                leak((cell, first))
            return ctypes.addressof(self._late[symbol])

    def _first_call(self, symbol: str, words: int) -> int:
        """What native code calls instead of a routine that is not yet compiled, without the GIL."""
        if symbol in self._refused:
            return _FAILED
        try:
            routine = _ROUTINE(self.library(symbol)[symbol])
        except Exception:  # whoever calls it has another way, or tells that the call failed
            self._refused.add(symbol)
            return _FAILED
        result: int = routine(words)
        return result

    def after_fork(self) -> None:
        """In a forked child: no other thread is inside."""
        self._lock = threading.RLock()

    def _compile(
        self, group: str, exports: Sequence[str], text: Callable[[], Text],
        imports: Mapping[str, int] | None = None,
    ) -> dict[str, int]:  # fmt: skip
        name = f"{group} {self._target} {self._blas and self._blas.identity()}"

        def bind(text: Text) -> dict[str, int]:
            cells = {f"{symbol}.late": self.late(symbol) for symbol in text.late}
            return {**self.symbols(text.helpers), **(imports or {}), **text.imports, **cells}

        module = self._compiler(Recipe(name, tuple(exports), text, bind))
        leak(module)
        return dict(module.addresses)

    def _threads(self) -> Mapping[str, int]:
        native = self._compile(
            "threads", threads.EXPORTS,
            lambda: Text(threads_text.pool_ir(self._target.architecture)), threads.imports(),
        )  # fmt: skip
        pool = threads.pool()
        pool.attach(native["th_worker"])
        return {**native, "th_pool": pool.address}

    def _memory(self) -> Mapping[str, int]:
        native = self._compile(
            "memory", memory.EXPORTS, lambda: Text(memory.memory_ir()), memory.imports()
        )
        memory.attach(native)
        return native

    def _copy(self) -> Mapping[str, int]:
        return self._compile("copy", copying.EXPORTS, lambda: Text(copying.copy_ir()))

    def _pack(self) -> Mapping[str, int]:
        return self._compile("pack", packing.EXPORTS, lambda: Text(packing.pack_ir()))

    def _mt19937(self) -> Mapping[str, int]:
        return self._compile(
            mt19937.GROUP, mt19937.EXPORTS, lambda: Text(mt19937.mt_ir(self._target)),
            mt19937.imports(),
        )  # fmt: skip

    def _routine(self, symbol: str) -> Mapping[str, int]:
        found = table.of_symbol(symbol)
        if found is None:
            raise KeyError(symbol)
        row, dtypes = found
        return self._compile(symbol, (symbol,), lambda: row.text(symbol, dtypes, self._target))

    def _gemm(self, letter: str, squares: bool = False) -> Mapping[str, int]:
        kernels = gemm.GemmText(
            letter, self._target, self._blas, brief=self._brief, squares=squares
        )
        helpers = ("th_parallel", "th_pool", "th_alloc", "th_free")
        return self._compile(
            kernels.exports[0].removeprefix("th_"), kernels.exports,
            lambda: Text(kernels.text(), helpers), kernels.blas_imports(),
        )  # fmt: skip


GROUPS: dict[str, Callable[[Support], Mapping[str, int]]] = {
    "threads": Support._threads,
    "memory": Support._memory,
    "copy": Support._copy,
    "pack": Support._pack,
    mt19937.GROUP: Support._mt19937,
    "sgemm": lambda self: self._gemm("s"),
    "dgemm": lambda self: self._gemm("d"),
    "sgemm_squares": lambda self: self._gemm("s", squares=True),
    "dgemm_squares": lambda self: self._gemm("d", squares=True),
}

SYMBOL_GROUP: dict[str, str] = {
    "th_parallel": "threads",
    "th_pool": "threads",
    "th_nap": "threads",
    "th_launch": "threads",
    **dict.fromkeys(packing.EXPORTS, "pack"),
    **dict.fromkeys(mt19937.EXPORTS, mt19937.GROUP),
    **dict.fromkeys(memory.EXPORTS, "memory"),
    "th_copy": "copy",
    "th_sgemm": "sgemm",
    "th_dgemm": "dgemm",
    "th_sgemm_squares": "sgemm_squares",
    "th_dgemm_squares": "dgemm_squares",
}
