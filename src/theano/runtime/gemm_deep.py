"""LLVM IR of products of a tall transposed matrix with few columns, such as gradients of weights.

``C = alpha A B + beta C`` with long rows of A that are not contiguous, but its columns are: A is
read in the order of memory if blocks of its columns (rows of B) are multiplied apart and their
products added. A thread has the same blocks as it had rows when the matrix was the first operand of
a product, so it finds them in its caches. How many blocks there are depends on the length of the
rows alone, so that results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Final

from theano.runtime.gemm_choice import SWAP_COLUMNS, GemmChoice
from theano.runtime.irtext import Function

# Columns of A in a block, at least; blocks, at most; elements of A from which it pays, and of C up
# to which the blocks' products stay in the caches.
_BLOCK: Final = 128
_BLOCKS: Final = 16
_LARGE: Final = 1 << 17
_SMALL: Final = 1 << 15
# Rows of C whose sums are one chunk.
_ROWS: Final = 128
_WORDS: Final = (
    "m", "n", "k", "A", "sA1", "B", "sB0", "sB1", "C", "sC0", "sC1", "parts", "wide", "step",
    "blocks", "alpha", "beta",
)  # fmt: skip


class GemmDeep(GemmChoice):
    """Writes ``@deep`` and the two loops that it runs on the pool."""

    def _is_deep(self, f: Function) -> str:
        """Whether `_deep` computes the product."""
        tests = (
            f"sle i64 %n, {SWAP_COLUMNS}", f"sgt i64 %m, {SWAP_COLUMNS}", "eq i64 %sA0, 1",
            "ne i64 %sA1, 1", f"sge i64 %k, {2 * _BLOCK}",
            f"sge i64 {f.binary('mul', '%m', '%k')}, {_LARGE}",
            f"sle i64 {f.binary('mul', '%m', '%n')}, {_SMALL}",
        )  # fmt: skip
        return f.both(*(f.op(f"icmp {test}") for test in tests))

    def _deep_parts(self) -> list[str]:
        return [self._deep(), self._deep_part(), self._deep_sums()]

    def _word_kind(self, name: str) -> str:
        special = {"alpha": self.kind, "beta": self.kind}
        return special.get(name, "ptr" if name in ("A", "B", "C", "parts") else "i64")

    def _word(self, f: Function, name: str) -> str:
        """Read a word of the context of a loop."""
        return f.op(f"load {self._word_kind(name)}, ptr {f.at('i64', '%ctx', _WORDS.index(name))}")

    def _deep(self) -> str:
        f = Function(self._head("deep"))
        blocks = f.smin(f.binary("lshr", "%k", _BLOCK.bit_length() - 1), _BLOCKS)
        step = f.binary("udiv", f.binary("add", "%k", f.binary("sub", blocks, 1)), blocks)
        wide = f.binary("and", f.binary("add", "%m", self.lanes - 1), -self.lanes)
        size = f.binary("mul", f.binary("mul", "%n", wide), blocks)
        parts = f.op(f"call ptr @th_alloc(i64 {f.binary('mul', size, self.size)})")
        f.leave_if(f.op(f"icmp eq ptr {parts}, null"), lambda: f.do(self._call("serial")))
        f.do(f"%ctx = alloca [{len(_WORDS)} x i64]")
        values = {"parts": parts, "wide": wide, "step": step, "blocks": blocks}
        for number, name in enumerate(_WORDS):
            value = values.get(name, f"%{name}")
            f.do(f"store {self._word_kind(name)} {value}, ptr {f.at('i64', '%ctx', number)}")
        f.do(f"call void @th_parallel(ptr @th_pool, ptr @deep_part, ptr %ctx, i64 {blocks})")
        chunks = f.binary("udiv", f.binary("add", "%m", _ROWS - 1), _ROWS)
        f.do(f"call void @th_parallel(ptr @th_pool, ptr @deep_sums, ptr %ctx, i64 {chunks})")
        f.do(f"call void @th_free(ptr {parts})")
        f.do("ret void")
        return f.text()

    def _deep_part(self) -> str:
        """The transposed product of one block, ``wide`` elements a row."""
        f = Function("internal void @deep_part(ptr %ctx, i64 %index)")
        value = {name: self._word(f, name) for name in _WORDS[:-2]}
        start = f.binary("mul", "%index", value["step"])
        here = f.smin(f.binary("sub", value["k"], start), value["step"])
        a = f.at(self.kind, value["A"], f.binary("mul", start, value["sA1"]))
        b = f.at(self.kind, value["B"], f.binary("mul", start, value["sB0"]))
        size = f.binary("mul", value["n"], value["wide"])
        part = f.at(self.kind, value["parts"], f.binary("mul", "%index", size))
        f.do(
            f"call void @core(i64 {value['n']}, i64 {value['m']}, i64 {here}, {self.kind} 1.0, "
            f"ptr {b}, i64 {value['sB1']}, i64 {value['sB0']}, ptr {a}, i64 {value['sA1']}, i64 1, "
            f"{self.kind} 0.0, ptr {part}, i64 {value['wide']}, i64 1)"
        )
        f.do("ret void")
        return f.text()

    def _deep_sums(self) -> str:
        """Add the blocks' products, and what C was, for some rows of C."""
        f = Function("internal void @deep_sums(ptr %ctx, i64 %index)")
        value = {name: self._word(f, name) for name in _WORDS}
        first = f.binary("mul", "%index", _ROWS)
        count = f.smin(f.binary("sub", value["m"], first), _ROWS)
        size = f.binary("mul", value["n"], value["wide"])
        total = f.at(self.kind, value["parts"], first)

        def row(j: str) -> None:
            line = f.at(self.kind, total, f.binary("mul", j, value["wide"]))

            def vector(i: str) -> None:
                def add(b: str, sums: list[str]) -> list[str]:
                    place = f.at(self.kind, line, f.binary("mul", b, size))
                    part = self._load_vector(f, place, i)
                    return [f.op(f"fadd {self.vector} {sums[0]}, {part}")]

                start = [(self.vector, self._load_vector(f, line, i))]
                sums = f.loop(1, value["blocks"], 1, start, add)
                self._store_vector(f, sums[0], line, i)

            f.each(0, count, self.lanes, vector)

        f.each(0, value["n"], 1, row)
        c = f.at(self.kind, value["C"], f.binary("mul", first, value["sC0"]))
        factors = f"{self.kind} {value['alpha']}, {self.kind} {value['beta']}"
        f.do(
            f"call void @write_back(i64 {value['n']}, i64 {count}, ptr {total}, "
            f"i64 {value['wide']}, {factors}, ptr {c}, i64 {value['sC1']}, i64 {value['sC0']})"
        )
        f.do("ret void")
        return f.text()
