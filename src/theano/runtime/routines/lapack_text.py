"""Writes routines that call LAPACK on each matrix of a batch.

The arrays of such a routine have a first axis for the batch; matrices in it are in C order (rows
contiguous), except where an operand says otherwise. Fortran sees a matrix in C order as its
transpose, and the routines are written so that this is what they need: nothing is transposed.

A batch is split over the threads of the pool. The LAPACK library itself runs on one thread, except
for one large matrix, for which it may use the threads that it is set to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from theano.runtime import gemm_blas
from theano.runtime.irtext import Function
from theano.runtime.routines import lapack_library
from theano.runtime.routines.base import ITEMSIZE, KINDS, Routine, Text, Writer
from theano.runtime.threads_text import WORKERS_SLOT

if TYPE_CHECKING:
    from theano.runtime.support import Target

# Multiply-adds of a batch that are worth more than one thread, and of one matrix for the library.
_PARALLEL_WORK: Final = 200_000
_LIBRARY_WORK: Final = 512**3
# Makes the region with one thread begin, whatever the work.
_ALWAYS: Final = 1 << 40
LETTERS: Final = {"float32": "s", "float64": "d"}


class MatrixWriter(Writer):
    """Writes ``i64 @one(ptr %words, i64 %index)``: the work on one matrix of the batch.

    ``matrix`` is the address of matrix ``%index`` of an array, ``lead`` its leading dimension;
    ``char``, ``integer`` and ``real`` put an argument into memory, as Fortran wants it; ``call``
    calls LAPACK by name; ``info`` is what it reported.
    """

    def __init__(self, routine: Routine, dtype: str) -> None:
        self.begin("internal i64 @one(ptr %words, i64 %index)", routine, dtype)

    def begin(self, head: str, routine: Routine, dtype: str) -> None:
        """Start the function ``head``."""
        Function.__init__(self, head)
        self.routine, self.dtype = routine, dtype
        self.kind, self.size = KINDS[dtype], ITEMSIZE[dtype]
        self.letter = LETTERS[dtype]
        self.library = lapack_library.library()
        self.width = f"i{self.library.integer_bits}"
        self.used: dict[str, int] = {}
        self.declarations: dict[str, str] = {}
        self.extra: list[str] = []  # other functions of the module
        self.helpers: list[str] = []
        self._chars: set[str] = set()
        self._blocks: list[str] = []
        self._info = self.box(self.width, "0")

    # arguments ----------------------------------------------------------------------------------

    def box(self, kind: str, value: str) -> str:
        """The address of a value on the stack."""
        place = self.op(f"alloca {kind}")
        self.do(f"store {kind} {value}, ptr {place}")
        return place

    def char(self, value: str, other: str = "", condition: str = "") -> str:
        """A letter; with ``condition`` (i1) ``value`` where it holds, else ``other``."""
        code = str(ord(value))
        if condition:
            code = self.op(f"select i1 {condition}, i8 {code}, i8 {ord(other)}")
        place = self.box("i8", code)
        self._chars.add(place)
        return place

    def integer(self, value: str | int) -> str:
        """An i64 as an integer of the library."""
        if self.width == "i64" or isinstance(value, int):
            return self.box(self.width, str(value))
        return self.box(self.width, self.op(f"trunc i64 {value} to {self.width}"))

    def real(self, value: float) -> str:
        """A number of the dtype."""
        return self.box(self.kind, f"{value:.6e}" if value == value else "0x7FF8000000000000")

    def matrix(self, array: int) -> str:
        """The address of matrix ``%index``."""
        return self.place(self.pointer(array), ("%index", self.stride(array, 0)))

    def lead(self, array: int) -> str:
        """The distance of rows, in elements; at least 1 and at least the length of a row."""
        step = self.binary("sdiv", self.stride(array, 1), self.size)
        return self.smax(self.smax(step, self.dim(array, 2)), 1)

    def flag(self, position: int) -> str:
        """Whether a number is not 0 (i1)."""
        return self.op(f"icmp ne i64 {self.number(position)}, 0")

    def scratch(self, count: str, size: int) -> str:
        """Memory for ``count`` elements until the end; where there is none, the work fails."""
        block = self.op(f"call ptr @th_alloc(i64 {self.binary('mul', count, size)})")
        none = self.op(f"icmp eq ptr {block}, null")
        self.leave_if(none, self._give_back, value="i64 -1")
        self._blocks.append(block)
        return block

    # control ------------------------------------------------------------------------------------

    def quit_if(self, condition: str, value: int = 0) -> None:
        """Return ``value`` if ``condition``; nothing may have been allocated yet."""
        assert not self._blocks
        leave, stay = self.fresh("quit"), self.fresh("stay")
        self.do(f"br i1 {condition}, label %{leave}, label %{stay}")
        self.start(leave)
        self.do(f"ret i64 {value}")
        self.start(stay)

    def call(self, name: str, *arguments: str, info: bool = True) -> None:
        """Call LAPACK's ``name``; ``info`` says whether its last argument is INFO."""
        symbol = f"th_lapack_{self.letter}{name}"
        given = [f"ptr {a}" for a in arguments]
        if info:
            given.append(f"ptr {self._info}")
        # Compilers of Fortran add the length of each character argument.
        given += ["i64 1"] * sum(a in self._chars for a in arguments)
        self.used[symbol] = self.library.addresses[self.letter + name]
        kinds = ", ".join(g.split()[0] for g in given)
        self.declarations[symbol] = f"declare void @{symbol}({kinds})"
        self.do(f"call void @{symbol}({', '.join(given)})")

    def info(self) -> str:
        """What the last call reported, an i64."""
        value = self.op(f"load {self.width}, ptr {self._info}")
        if self.width == "i64":
            return value
        return self.op(f"sext {self.width} {value} to i64")

    def queried(self, box: str, real: bool) -> str:
        """The size of a workspace that a query left in ``box``."""
        if real:
            value = self.op(f"load {self.kind}, ptr {box}")
            # A float32 may have been rounded down.
            return self.binary("add", self.op(f"fptosi {self.kind} {value} to i64"), 64)
        value = self.op(f"load {self.width}, ptr {box}")
        return value if self.width == "i64" else self.op(f"sext i32 {value} to i64")

    def element(self, address: str) -> str:
        """Load an element."""
        return self.op(f"load {self.kind}, ptr {address}, align 1")

    def zero_on_diagonal(self, matrix: str, row: str, column: str, count: str) -> str:
        """Whether (i1) an element of the diagonal is exactly 0; strides in bytes."""
        step = self.binary("add", row, column)

        def test(i: str, found: list[str]) -> list[str]:
            value = self.element(self.place(matrix, (i, step)))
            zero = self.op(f"fcmp oeq {self.kind} {value}, 0.0")
            return [self.op(f"or i1 {found[0]}, {zero}")]

        return self.loop(0, count, 1, [("i1", "false")], test)[0]

    def done(self, failed: str = "") -> None:
        """Give memory back and return 0, or -1 if ``failed`` (i1)."""
        self._give_back()
        status = self.op(f"select i1 {failed}, i64 -1, i64 0") if failed else "0"
        self.do(f"ret i64 {status}")

    def _give_back(self) -> None:
        for block in self._blocks:
            self.do(f"call void @th_free(ptr {block})")


Body = Callable[[MatrixWriter], None]


def matrix_routine(
    name: str, ranks: Sequence[int], results: int, meaning: Callable[..., None], body: Body,
    *, numbers: int, main: int = 0,
) -> Routine:  # fmt: skip
    """A routine whose native text applies ``body`` to each matrix of a batch.

    ``numbers`` counts its int64 numbers, ``main`` is the array whose size says what it costs.
    """

    def text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
        del target
        return batch_text(symbol, row, dtypes[0], body, main)

    row = Routine(
        name, tuple(ranks), results, meaning, text, numbers=("int64",) * numbers, weight=40
    )
    return row


def batch_text(symbol: str, routine: Routine, dtype: str, body: Body, main: int) -> Text:
    """The module: ``one``, ``chunk`` (which calls it for the pool) and the routine itself."""
    one = MatrixWriter(routine, dtype)
    body(one)
    own = one.text()
    library = one.library
    threads = bool(library.set_num_threads and library.get_num_threads)
    parts = [
        "declare ptr @th_alloc(i64)",
        "declare void @th_free(ptr)",
        "declare void @th_parallel(ptr, ptr, ptr, i64)",
        "@th_pool = external global [64 x i64]",
    ]
    imports = dict(one.used)
    parts += one.declarations.values()
    if threads:
        imports["th_blas_set_threads"] = library.set_num_threads
        imports["th_blas_get_threads"] = library.get_num_threads
        parts.append(gemm_blas.one_thread_text())
    parts += [*one.extra, own, _chunk(), _entry(symbol, routine, main, threads, bool(one.extra))]
    helpers = ("th_alloc", "th_free", "th_parallel", "th_pool", *one.helpers)
    return Text("\n".join(parts), helpers, imports)


def _chunk() -> str:
    f = Function("internal void @chunk(ptr %ctx, i64 %index)")
    words = f.op("load ptr, ptr %ctx")
    status = f.op(f"call i64 @one(ptr {words}, i64 %index)")
    place = f.at("i64", "%ctx", 1)
    f.when(
        f.op(f"icmp slt i64 {status}, 0"),
        lambda: f.do(f"store atomic i64 -1, ptr {place} monotonic, align 8"),
    )
    f.do("ret void")
    return f.text()


def _entry(symbol: str, routine: Routine, main: int, threads: bool, own: bool) -> str:
    """``own``: large matrices are split by our products, and the library keeps to one thread."""
    f = Writer(symbol, routine)
    batch = f.dim(main, 0)
    rows, columns = f.dim(main, 1), f.dim(main, 2)
    work = f.binary("mul", f.binary("mul", rows, columns), f.smax(rows, columns))
    slot = f.at("i64", "@th_pool", WORKERS_SLOT)
    workers = f.op(f"load atomic i64, ptr {slot} monotonic, align 8")
    alone = f.op(f"icmp slt i64 {workers}, 1")
    several = f.op(f"icmp sgt i64 {batch}, 1")
    f.do("%ctx = alloca [2 x i64]")
    f.do("store ptr %words, ptr %ctx")
    status = f.at("i64", "%ctx", 1)
    f.do(f"store i64 0, ptr {status}")
    if threads:
        small = f.op(f"icmp sle i64 {work}, {_ALWAYS if own else _LIBRARY_WORK}")
        single = f.op(f"or i1 {f.op(f'or i1 {alone}, {small}')}, {several}")
        tiny = f.op(f"icmp sle i64 {work}, {32**3}")
        single = f.both(single, f.op(f"xor i1 {tiny}, true"))
        guard = f.op(f"select i1 {single}, i64 {_ALWAYS}, i64 0")
        f.do(f"call void @blas_enter(i64 {guard})")
    enough = f.op(f"icmp sgt i64 {f.binary('mul', work, batch)}, {_PARALLEL_WORK}")
    split = f.both(several, enough, f.op(f"xor i1 {alone}, true"))
    f.when(
        split,
        lambda: f.do(f"call void @th_parallel(ptr @th_pool, ptr @chunk, ptr %ctx, i64 {batch})"),
        lambda: f.each(0, batch, 1, lambda i: f.do(f"call void @chunk(ptr %ctx, i64 {i})")),
    )
    if threads:
        f.do(f"call void @blas_leave(i64 {guard})")
    return f.finish(f.op(f"load i64, ptr {status}"))
