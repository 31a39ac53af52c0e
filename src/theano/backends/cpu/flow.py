"""Functions with loops: an LLVM function under construction, its blocks and phis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from theano.backends.cpu.emit import Emitter

Carried = list[tuple[str, str]]  # (LLVM type, value)


class Function:
    """One LLVM function: a scalar emitter, vector emitters on the same lines, and control flow."""

    def __init__(self, module: Emitter, lanes: int) -> None:
        self.lines: list[str] = []
        self.s = Emitter(1, module, "s")
        self.s.lines = self.lines
        self.lanes = lanes
        self._vectors: dict[int, Emitter] = {1: self.s}
        self.v = self.at(lanes)
        self.block = "entry"
        self._labels = 0

    def at(self, lanes: int) -> Emitter:
        """The emitter for another number of lanes."""
        found = self._vectors.get(lanes)
        if found is None:
            found = self._vectors[lanes] = Emitter(lanes, self.s, f"v{lanes}x")
            found.lines = self.lines
        return found

    def label(self, base: str) -> str:
        """A new block's name."""
        self._labels += 1
        return f"{base}{self._labels}"

    def start(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.block = label

    def jump(self, label: str) -> None:
        """Go on in another block."""
        self.lines.append(f"  br label %{label}")

    def branch(self, condition: str, yes: str, no: str) -> None:
        """Go on in one of two blocks."""
        self.lines.append(f"  br i1 {condition}, label %{yes}, label %{no}")

    def i64(self, op: str, a: str, b: str) -> str:
        """Integer arithmetic on i64; trivial forms are folded."""
        if (op in ("add", "sub") and b == "0") or (op in ("mul", "sdiv") and b == "1"):
            return a
        if op == "add" and a == "0":
            return b
        if op == "mul" and "0" in (a, b):
            return "0"
        if op == "mul" and a == "1":
            return b
        return self.s.emit(f"{op} i64 {a}, {b}")

    def least(self, a: str, b: str) -> str:
        """min(a, b) of i64."""
        return self.select(self.s.emit(f"icmp slt i64 {a}, {b}"), "i64", a, b)

    def select(self, condition: str, kind: str, a: str, b: str) -> str:
        """One of two values."""
        return self.s.emit(f"select i1 {condition}, {kind} {a}, {kind} {b}")

    def word(self, ctx: str, offset: int) -> str:
        """Load a word of the context."""
        return self.s.emit(f"load i64, ptr {self.word_pointer(ctx, offset)}, align 8")

    def word_pointer(self, ctx: str, offset: int) -> str:
        """Address of a word of the context."""
        return self.s.emit(f"getelementptr i64, ptr {ctx}, i64 {offset}")

    def set_word(self, ctx: str, offset: int, value: str) -> None:
        """Store a word of the context."""
        self.lines.append(f"  store i64 {value}, ptr {self.word_pointer(ctx, offset)}, align 8")

    def pointer(self, base: str, offset: str) -> str:
        """``base`` plus a byte offset."""
        return base if offset == "0" else self.s.emit(f"getelementptr i8, ptr {base}, i64 {offset}")

    def loop(
        self, start: str, stop: str, step: int | str, carried: Carried,
        body: Callable[[str, list[str]], list[str]],
    ) -> list[str]:  # fmt: skip
        """``for i in range(start, stop, step)``; the carried values after it."""
        head, inside, after = self.label("head"), self.label("body"), self.label("after")
        before = self.block
        self.jump(head)
        self.start(head)
        i = self.s.fresh()
        place = len(self.lines)
        self.lines.append("")
        phis = [self.s.fresh() for _ in carried]
        self.lines.extend("" for _ in carried)
        more = self.s.emit(f"icmp slt i64 {i}, {stop}")
        self.branch(more, inside, after)
        self.start(inside)
        new = body(i, phis)
        following = self.s.emit(f"add i64 {i}, {step}")
        latch = self.block
        self.jump(head)
        self.lines[place] = f"  {i} = phi i64 [ {start}, %{before} ], [ {following}, %{latch} ]"
        for j, ((kind, init), phi, value) in enumerate(zip(carried, phis, new, strict=True)):
            self.lines[place + 1 + j] = (
                f"  {phi} = phi {kind} [ {init}, %{before} ], [ {value}, %{latch} ]"
            )
        self.start(after)
        return phis

    def when(self, condition: str, carried: Carried, body: Callable[[], list[str]]) -> list[str]:
        """Run ``body`` if ``condition``; the carried values after it."""
        yes, after = self.label("when"), self.label("after")
        before = self.block
        self.branch(condition, yes, after)
        self.start(yes)
        new = body()
        end = self.block
        self.jump(after)
        self.start(after)
        return [
            self.s.emit(f"phi {kind} [ {old}, %{before} ], [ {value}, %{end} ]")
            for (kind, old), value in zip(carried, new, strict=True)
        ]

    def choose(self, condition: str, yes: Callable[[], None], no: Callable[[], None]) -> None:
        """Run one of two bodies."""
        first, second, after = self.label("yes"), self.label("no"), self.label("after")
        self.branch(condition, first, second)
        self.start(first)
        yes()
        self.jump(after)
        self.start(second)
        no()
        self.jump(after)
        self.start(after)

    def alloca(self, kind: str, count: int, align: int = 64) -> str:
        """Stack memory; call it in the entry block only."""
        return self.s.emit(f"alloca {kind}, i64 {count}, align {align}")

    def text(self, head: str, attributes: str = "nounwind") -> str:
        """The whole function; its last block must end with a terminator."""
        body = "\n".join(self.lines)
        return f"define {head} {attributes} {{\nentry:\n{body}\n}}\n"


def product(f: Function, values: Sequence[str]) -> str:
    """The product of i64 values."""
    total = "1"
    for value in values:
        total = f.i64("mul", total, value)
    return total
