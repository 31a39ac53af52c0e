"""LLVM IR that calls a BLAS gemm, and keeps it single-threaded while our pool splits the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from theano.runtime.blas import Blas

# Products of at most this many multiply-adds OpenBLAS never threads by itself.
_SERIAL_WORK: Final = 262_144
# Words of the pool's memory: lock, number of products running, the library's own setting.
_LOCK, _COUNT, _SAVED = 56, 57, 58


def imports(blas: Blas, letter: str) -> dict[str, int]:
    """Return the addresses that `text` imports."""
    table = {"th_blas_gemm": blas.addresses[f"{letter}gemm"]}
    if blas.set_num_threads and blas.get_num_threads:
        table["th_blas_set_threads"] = blas.set_num_threads
        table["th_blas_get_threads"] = blas.get_num_threads
    return table


def text(blas: Blas, kind: str, without_memory: str) -> str:
    """Return ``call_blas`` and, if the library has a thread setting, ``blas_enter/leave``.

    ``without_memory``: the call that takes its place where an operand cannot be copied.
    """
    parts = [_call_text(blas, kind, without_memory)]
    if blas.set_num_threads and blas.get_num_threads:
        parts.append(one_thread_text())
    return "\n".join(parts)


def one_thread_text() -> str:
    """``blas_enter(work)`` and ``blas_leave(work)``: between them the library has one thread.

    They import ``th_blas_set_threads`` and ``th_blas_get_threads``, and the global ``th_pool``.
    """
    declared = "declare void @th_blas_set_threads(i32)\ndeclare i32 @th_blas_get_threads()\n"
    return declared + _region("blas_enter", _enter) + _region("blas_leave", _leave)


def _region(name: str, change: Callable[[Function, str, str], None]) -> str:
    """Write a function that changes count and setting under the lock."""
    f = Function(f"internal void @{name}(i64 %work)")
    f.leave_if(f.op(f"icmp sle i64 %work, {_SERIAL_WORK}"))
    lock, count, saved = (f.at("i64", "@th_pool", slot) for slot in (_LOCK, _COUNT, _SAVED))
    f.do("br label %try")
    f.start("try")
    pair = f.op(f"cmpxchg ptr {lock}, i64 0, i64 1 acquire monotonic")
    won = f.op(f"extractvalue {{i64, i1}} {pair}, 1")
    f.do(f"br i1 {won}, label %mine, label %try")
    f.start("mine")
    change(f, count, saved)
    f.do(f"store atomic i64 0, ptr {lock} release, align 8")
    f.do("ret void")
    return f.text()


def _enter(f: Function, count: str, saved: str) -> None:
    old = f.op(f"load i64, ptr {count}")
    f.do(f"store i64 {f.binary('add', old, 1)}, ptr {count}")

    def save() -> None:
        threads = f.op("call i32 @th_blas_get_threads()")
        f.do(f"store i64 {f.op(f'sext i32 {threads} to i64')}, ptr {saved}")
        several = f.op(f"icmp sgt i32 {threads}, 1")
        f.when(several, lambda: f.do("call void @th_blas_set_threads(i32 1)"))

    f.when(f.op(f"icmp eq i64 {old}, 0"), save)


def _leave(f: Function, count: str, saved: str) -> None:
    new = f.binary("sub", f.op(f"load i64, ptr {count}"), 1)
    f.do(f"store i64 {new}, ptr {count}")

    def restore() -> None:
        threads = f.op(f"trunc i64 {f.op(f'load i64, ptr {saved}')} to i32")
        several = f.op(f"icmp sgt i32 {threads}, 1")
        f.when(several, lambda: f.do(f"call void @th_blas_set_threads(i32 {threads})"))

    f.when(f.op(f"icmp eq i64 {new}, 0"), restore)


def _operand(
    f: Function, kind: str, name: str, rows: str, cols: str, without_memory: Sequence[str]
) -> tuple[str, str, str, str]:
    """Return (pointer, leading dimension, i1 transposed, block to free) of one operand."""
    s0, s1 = f"%s{name}0", f"%s{name}1"
    one_row = f.op(f"icmp eq i64 {rows}, 1")
    one_col = f.op(f"icmp eq i64 {cols}, 1")
    lead0 = f.op(f"select i1 {one_row}, i64 {cols}, i64 {s0}")
    lead1 = f.op(f"select i1 {one_col}, i64 {rows}, i64 {s1}")
    plain = f.both(f.op(f"icmp eq i64 {s1}, 1"), f.op(f"icmp sge i64 {lead0}, {cols}"))
    turned = f.both(f.op(f"icmp eq i64 {s0}, 1"), f.op(f"icmp sge i64 {lead1}, {rows}"))
    usable = f.op(f"or i1 {plain}, {turned}")
    size = f.binary("mul", f.binary("mul", rows, cols), 4 if kind == "float" else 8)
    copy = f.op(f"call ptr @th_alloc(i64 {f.op(f'select i1 {usable}, i64 0, i64 {size}')})")
    f.leave_if(f.op(f"icmp eq ptr {copy}, null"), lambda: f.do("\n  ".join(without_memory)))
    f.when(usable, lambda: None, lambda: f.do(
        f"call void @pack(ptr {copy}, ptr %{name}, i64 {s0}, i64 {s1}, i64 {rows}, i64 {cols}, "
        f"i64 {cols})"))  # fmt: skip
    pointer = f.op(f"select i1 {usable}, ptr %{name}, ptr {copy}")
    unturned = f.op(f"select i1 {plain}, i64 {lead0}, i64 {cols}")
    transposed = f.both(turned, f.op(f"xor i1 {plain}, true"))
    lead = f.op(f"select i1 {transposed}, i64 {lead1}, i64 {unturned}")
    return pointer, lead, transposed, copy


def _call_text(blas: Blas, kind: str, without_memory: str) -> str:
    head = (
        f"internal void @call_blas(i64 %m, i64 %n, i64 %k, {kind} %alpha, ptr %A, i64 %sA0, "
        f"i64 %sA1, ptr %B, i64 %sB0, i64 %sB1, {kind} %beta, ptr %C, i64 %sC0, i64 %sC1)"
    )
    f = Function(head)
    instead = [without_memory]
    a, lda, turn_a, free_a = _operand(f, kind, "A", "%m", "%k", instead)
    instead.insert(0, f"call void @th_free(ptr {free_a})")
    b, ldb, turn_b, free_b = _operand(f, kind, "B", "%k", "%n", instead)
    write = _fortran if blas.kind == "fortran32" else _cblas
    declare = write(f, kind, "i64" if blas.integer_bits == 64 else "i32", (a, lda, turn_a),
                    (b, ldb, turn_b))  # fmt: skip
    f.do(f"call void @th_free(ptr {free_a})")
    f.do(f"call void @th_free(ptr {free_b})")
    f.do("ret void")
    return declare + f.text()


def _integer(f: Function, width: str, value: str) -> str:
    return value if width == "i64" else f.op(f"trunc i64 {value} to i32")


def _cblas(
    f: Function, kind: str, width: str, a: tuple[str, str, str], b: tuple[str, str, str]
) -> str:
    # CBLAS constants: 101 row-major, 111 as it is, 112 transposed.
    turns = [f.op(f"select i1 {turn}, i32 112, i32 111") for _, _, turn in (a, b)]
    sizes = [_integer(f, width, v) for v in ("%m", "%n", "%k", a[1], b[1], "%sC0")]
    m, n, k, lda, ldb, ldc = (f"{width} {value}" for value in sizes)
    f.do(
        f"call void @th_blas_gemm(i32 101, i32 {turns[0]}, i32 {turns[1]}, {m}, {n}, {k}, "
        f"{kind} %alpha, ptr {a[0]}, {lda}, ptr {b[0]}, {ldb}, {kind} %beta, ptr %C, {ldc})"
    )
    return (
        f"declare void @th_blas_gemm(i32, i32, i32, {width}, {width}, {width}, {kind}, ptr, "
        f"{width}, ptr, {width}, {kind}, ptr, {width})\n"
    )


def _fortran(
    f: Function, kind: str, width: str, a: tuple[str, str, str], b: tuple[str, str, str]
) -> str:
    """Call column-major gemm for the transposed product; every argument goes by address."""

    def boxed(type_: str, value: str) -> str:
        box = f.op(f"alloca {type_}")
        f.do(f"store {type_} {value}, ptr {box}")
        return box

    turns = [boxed("i8", f.op(f"select i1 {turn}, i8 84, i8 78")) for _, _, turn in (b, a)]
    sizes = ("%n", "%m", "%k", b[1], a[1], "%sC0")
    n, m, k, ldb, lda, ldc = (boxed(width, _integer(f, width, value)) for value in sizes)
    alpha, beta = boxed(kind, "%alpha"), boxed(kind, "%beta")
    order = (*turns, n, m, k, alpha, b[0], ldb, a[0], lda, beta, "%C", ldc)
    f.do(f"call void @th_blas_gemm({', '.join(f'ptr {value}' for value in order)})")
    return f"declare void @th_blas_gemm({', '.join(['ptr'] * 13)})\n"
