"""What a library routine is, and the writer of its native text.

A routine is a function of arrays of fixed ranks and of numbers: the first ``results`` arrays are
written. `lower` calls it by name (a `Call` step), the NumPy backend runs its ``meaning``, native
code calls ``i64 th_NAME__DTYPES(ptr words)``. The words are, array after array, the address of the
first element, the extents and the byte strides; then the numbers, 8 bytes each (int64 or float64).
A negative result says that it failed: the call ends, and the reference tells what is wrong. A
routine that ``gives`` a number (how many elements there are, say) returns it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from theano.core.record import dataclass
from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from theano.runtime.support import Target

#: LLVM's type of an element in memory.
KINDS: Final[Mapping[str, str]] = {
    "bool": "i8", "float16": "half", "float32": "float", "float64": "double",
    **{f"{u}int{n}": f"i{n}" for u in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip
ITEMSIZE: Final[Mapping[str, int]] = {
    "bool": 1, "float16": 2, "float32": 4, "float64": 8,
    **{f"{u}int{n}": n // 8 for u in ("", "u") for n in (8, 16, 32, 64)},
}  # fmt: skip


class RoutineFailed(Exception):
    """Raised by a ``meaning`` where native code returns a negative number."""


@dataclass(frozen=True, slots=True)
class Text:
    """Native text of a routine: a whole LLVM module.

    ``helpers`` are helper symbols that it calls (``th_alloc``, ``th_parallel``, other routines …),
    ``imports`` other addresses (LAPACK, the C library). ``late`` are symbols of routines that are
    compiled when they are first called: ``@SYMBOL.late`` is a cell that holds their address.
    """

    ir: str
    helpers: tuple[str, ...] = ()
    imports: Mapping[str, int] = field(default_factory=dict)
    late: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """A call that a routine is tested with.

    Attributes
    ----------
    arrays
        Results first, as they are before the call.
    numbers
        The numbers of the call.
    check
        ``check(*arrays)`` after the call asserts that the results are right; None: they are what
        ``meaning`` gives, up to rounding.
    """

    arrays: tuple[Any, ...]
    numbers: tuple[Any, ...] = ()
    check: Callable[..., None] | None = None


@dataclass(frozen=True, slots=True)
class Routine:
    """One routine.

    Attributes
    ----------
    name
        Letters, digits and single underscores.
    ranks
        The rank of each array, results first.
    results
        How many arrays are written (they may be read, too).
    meaning
        ``meaning(*arrays, *numbers)`` in NumPy; writes into the first arrays and returns the
        number that the routine gives, or None. Raises RoutineFailed.
    text
        ``text(symbol, dtypes, target)`` writes the native function ``symbol`` for the dtypes of the
        arrays in ``typed``.
    typed
        The arrays whose dtypes the native function is written for.
    numbers
        The dtypes of the numbers: int64 or float64.
    gives
        Whether it returns a number.
    weight
        What an element of the arrays costs, in statements of a kernel: long calls leave the GIL.
    samples
        ``samples(rng)`` gives the calls that the routine is tested with, contiguous and strided
        (``tests/runtime/test_routines.py``).
    """

    name: str
    ranks: tuple[int, ...]
    results: int
    meaning: Callable[..., int | None]
    text: Callable[[str, tuple[str, ...], Target], Text]
    typed: tuple[int, ...] = (0,)
    numbers: tuple[str, ...] = ()
    gives: bool = False
    weight: int = 4
    samples: Callable[[Any], Iterable[Sample]] | None = None

    def symbol(self, dtypes: Sequence[str]) -> str:
        """The name of the native function for arrays of these dtypes."""
        return f"th_{self.name}__{'_'.join(dtypes[i] for i in self.typed)}"

    def word(self, array: int) -> int:
        """The number of the word that holds the address of an array."""
        return sum(1 + 2 * rank for rank in self.ranks[:array])

    @property
    def words(self) -> int:
        """How many words a call needs."""
        return self.word(len(self.ranks)) + len(self.numbers)


class Writer(Function):
    """Writes the native function of a routine: access to the words by name.

    ``pointer``, ``dim``, ``stride`` (bytes) and ``number`` load words; ``place`` computes an
    address from indices; ``load`` and ``store`` move elements.
    """

    def __init__(self, symbol: str, routine: Routine, head: str = "") -> None:
        super().__init__(head or f"i64 @{symbol}(ptr %words)")
        self.symbol = symbol
        self.routine = routine

    def _word(self, offset: int, kind: str) -> str:
        return self.op(f"load {kind}, ptr {self.at('i64', '%words', offset)}, align 8")

    def pointer(self, array: int) -> str:
        """The address of an array's first element."""
        return self._word(self.routine.word(array), "ptr")

    def dim(self, array: int, axis: int) -> str:
        """An extent."""
        return self._word(self.routine.word(array) + 1 + axis, "i64")

    def stride(self, array: int, axis: int) -> str:
        """A stride, in bytes."""
        rank = self.routine.ranks[array]
        return self._word(self.routine.word(array) + 1 + rank + axis, "i64")

    def number(self, position: int) -> str:
        """A number: i64 or double."""
        kind = "double" if self.routine.numbers[position] == "float64" else "i64"
        return self._word(self.routine.word(len(self.routine.ranks)) + position, kind)

    def place(self, pointer: str, *moves: tuple[str, str]) -> str:
        """The address after ``moves``: pairs of an index and a stride in bytes."""
        for index, stride in moves:
            pointer = self.at("i8", pointer, self.binary("mul", index, stride))
        return pointer

    def finish(self, value: str | int = 0) -> str:
        """Return ``value``; the whole text."""
        self.do(f"ret i64 {value}")
        return self.text()


class Part(Writer):
    """Writes the function that does one part of a routine's work; see `in_parts`."""

    def __init__(self, symbol: str, routine: Routine) -> None:
        super().__init__(symbol, routine, f"internal void @{symbol}_part(ptr %ctx, i64 %part)")
        self.do("%words = load ptr, ptr %ctx, align 8")

    def range(self, outer: str) -> tuple[str, str]:
        """The first position of this part, and the one after its last."""
        grain = self.op(f"load i64, ptr {self.at('i64', '%ctx', 1)}, align 8")
        first = self.binary("mul", "%part", grain)
        return first, self.smin(self.binary("add", first, grain), outer)

    def fail_if(self, condition: str) -> None:
        """Where ``condition``: let the call fail, and leave this part."""

        def tell() -> None:
            place = self.at("i64", "%ctx", 3)
            self.do(f"store atomic i64 -1, ptr {place} monotonic, align 8")

        self.leave_if(condition, tell)


#: What texts made by `in_parts` call.
PARTS_HELPERS: Final = ("th_launch", "th_pool")
_PARTS_DECLARED: Final = """
@th_pool = external global i8
declare i64 @th_launch(ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64)
"""


def in_parts(
    symbol: str, routine: Routine, plan: Callable[[Writer], tuple[str, str, int]],
    body: Callable[[Part, str, str], None],
) -> str:  # fmt: skip
    """The text of a routine whose positions 0 … outer - 1 are split over threads.

    Parameters
    ----------
    plan
        ``plan(f)`` gives (outer, elements at each position, cost of an element in units of about
        7 picoseconds).
    body
        ``body(f, first, end)`` writes the work on positions ``first`` to ``end``; no position may
        read what another one writes.

    The text needs `PARTS_HELPERS`. The routine returns 0, or -1 after ``f.fail_if``.
    """
    main = Writer(symbol, routine)
    ctx = main.op("alloca [4 x i64], align 8")
    main.do(f"store ptr %words, ptr {ctx}, align 8")
    status = main.at("i64", ctx, 3)
    main.do(f"store i64 0, ptr {status}, align 8")
    outer, inner, weight = plan(main)
    own = main.at("i64", ctx, 1)
    main.op(
        f"call i64 @th_launch(ptr @th_pool, ptr @{symbol}_part, ptr {ctx}, ptr {own},"
        f" i64 {outer}, i64 {inner}, i64 {weight}, i64 1, i64 2)"
    )
    whole = main.finish(main.op(f"load i64, ptr {status}, align 8"))
    part = Part(symbol, routine)
    positions = plan(part)[0]
    body(part, *part.range(positions))
    part.do("ret void")
    return f"{_PARTS_DECLARED}\n{part.text()}\n{whole}"
