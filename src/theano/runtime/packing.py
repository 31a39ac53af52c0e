"""``th_packN``: copies of ``N``-byte elements between strided places, for the kernels.

``void th_packN(ptr to, i64 to_stride, ptr from, i64 from_stride, i64 n)`` with strides in bytes.
"""

from __future__ import annotations

from typing import Final

from theano.runtime.irtext import Function

SIZES: Final = (1, 2, 4, 8)
EXPORTS: Final = tuple(f"th_pack{size}" for size in SIZES)


def pack_ir() -> str:
    """Return the LLVM IR of the copies."""
    return "\n".join(map(_pack, SIZES))


def _pack(size: int) -> str:
    f = Function(f"void @th_pack{size}(ptr %to, i64 %ts, ptr %from, i64 %fs, i64 %n)")

    def element(i: str) -> None:
        source = f.at("i8", "%from", f.binary("mul", i, "%fs"))
        value = f.op(f"load i{8 * size}, ptr {source}, align 1")
        target = f.at("i8", "%to", f.binary("mul", i, "%ts"))
        f.do(f"store i{8 * size} {value}, ptr {target}, align 1")

    f.each(0, "%n", 1, element)
    f.do("ret void")
    return f.text()
