"""A small writer of LLVM IR text with structured loops, for the helper libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Function:
    """Writes one LLVM function; every value gets a fresh name.

    >>> f = Function("i64 @twice(i64 %x)")
    >>> f.do(f"ret i64 {f.op('add i64 %x, %x')}")
    >>> print(f.text())
    define i64 @twice(i64 %x) {
    entry:
      %v1 = add i64 %x, %x
      ret i64 %v1
    }
    <BLANKLINE>
    """

    def __init__(self, head: str) -> None:
        self._head = head
        self._lines: list[str] = []
        self._count = 0
        self._block = "entry"

    def text(self) -> str:
        """Return the whole definition."""
        body = "\n".join(self._lines)
        return f"define {self._head} {{\nentry:\n{body}\n}}\n"

    def fresh(self, stem: str) -> str:
        """Return a name that nothing else in the function has."""
        self._count += 1
        return f"{stem}{self._count}"

    def op(self, instruction: str) -> str:
        """Write ``%new = instruction`` and return ``%new``."""
        name = "%" + self.fresh("v")
        self._lines.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        """Write an instruction without result."""
        self._lines.append(f"  {instruction}")

    def start(self, label: str) -> None:
        """Begin the block ``label``."""
        self._lines.append(f"{label}:")
        self._block = label

    def binary(self, name: str, a: str | int, b: str | int) -> str:
        """Write an i64 instruction such as ``add`` or ``mul``."""
        return self.op(f"{name} i64 {a}, {b}")

    def smin(self, a: str | int, b: str | int) -> str:
        """Return the smaller of two i64."""
        less = self.op(f"icmp slt i64 {a}, {b}")
        return self.op(f"select i1 {less}, i64 {a}, i64 {b}")

    def smax(self, a: str | int, b: str | int) -> str:
        """Return the larger of two i64."""
        less = self.op(f"icmp sgt i64 {a}, {b}")
        return self.op(f"select i1 {less}, i64 {a}, i64 {b}")

    def both(self, *conditions: str) -> str:
        """Return the conjunction of i1 values."""
        result = conditions[0]
        for condition in conditions[1:]:
            result = self.op(f"and i1 {result}, {condition}")
        return result

    def at(self, kind: str, pointer: str, index: str | int) -> str:
        """Return the address of element ``index`` of type ``kind``."""
        return self.op(f"getelementptr {kind}, ptr {pointer}, i64 {index}")

    def loop(
        self, start: str | int, stop: str | int, step: str | int,
        carried: Sequence[tuple[str, str]], body: Callable[[str, list[str]], Sequence[str]],
    ) -> list[str]:  # fmt: skip
        """Write ``for (i = start; i < stop; i += step)`` and return the carried values after it.

        ``carried`` holds (type, initial value); ``body(i, values)`` returns the next values.
        """
        before, head, inside, after = self._block, *map(self.fresh, ("head", "body", "end"))
        index = "%" + self.fresh("i")
        values = ["%" + self.fresh("c") for _ in carried]
        self.do(f"br label %{head}")
        self.start(head)
        first = len(self._lines)
        self._lines += [""] * (1 + len(carried))
        self.do(f"%{inside}.go = icmp slt i64 {index}, {stop}")
        self.do(f"br i1 %{inside}.go, label %{inside}, label %{after}")
        self.start(inside)
        following = body(index, values)
        again = self.op(f"add nsw i64 {index}, {step}")
        latch = self._block
        self.do(f"br label %{head}")
        rows = [("i64", str(start), index, again)]
        rows += [(k, v, n, f) for (k, v), n, f in zip(carried, values, following, strict=True)]
        for number, (kind, value, name, later) in enumerate(rows):
            phi = f"  {name} = phi {kind} [{value}, %{before}], [{later}, %{latch}]"
            self._lines[first + number] = phi
        self.start(after)
        return values

    def each(
        self, start: str | int, stop: str | int, step: str | int, body: Callable[[str], None]
    ) -> None:
        """Write a loop without carried values."""

        def run(index: str, values: list[str]) -> list[str]:
            del values
            body(index)
            return []

        self.loop(start, stop, step, (), run)

    def repeat(
        self, carried: Sequence[tuple[str, str]], condition: Callable[[list[str]], str],
        body: Callable[[list[str]], Sequence[str]],
    ) -> list[str]:  # fmt: skip
        """Write ``while (condition(values)) values = body(values)``; the values after it.

        ``carried`` holds (type, initial value).
        """
        before, head, inside, after = self._block, *map(self.fresh, ("while", "do", "done"))
        values = ["%" + self.fresh("c") for _ in carried]
        self.do(f"br label %{head}")
        self.start(head)
        first = len(self._lines)
        self._lines += [""] * len(carried)
        go = condition(values)
        self.do(f"br i1 {go}, label %{inside}, label %{after}")
        self.start(inside)
        following = body(values)
        latch = self._block
        self.do(f"br label %{head}")
        for number, ((kind, start), name, later) in enumerate(
            zip(carried, values, following, strict=True)
        ):
            phi = f"  {name} = phi {kind} [{start}, %{before}], [{later}, %{latch}]"
            self._lines[first + number] = phi
        self.start(after)
        return values

    def choose(
        self, condition: str, otherwise: Sequence[tuple[str, str]],
        yes: Callable[[], Sequence[str]], no: Callable[[], Sequence[str]] | None = None,
    ) -> list[str]:  # fmt: skip
        """Write ``condition ? yes() : no()`` of several values at once, and return them.

        ``otherwise`` holds (type, value where the condition is false and there is no ``no``).
        """
        before, then, other, after = self._block, *map(self.fresh, ("then", "else", "join"))
        self.do(f"br i1 {condition}, label %{then}, label %{other if no else after}")
        self.start(then)
        found = yes()
        ends = self._block
        self.do(f"br label %{after}")
        rest: Sequence[str] = [value for _, value in otherwise]
        if no:
            self.start(other)
            rest = no()
            before = self._block
            self.do(f"br label %{after}")
        self.start(after)
        return [
            self.op(f"phi {kind} [{one}, %{ends}], [{two}, %{before}]")
            for (kind, _), one, two in zip(otherwise, found, rest, strict=True)
        ]

    def when(
        self, condition: str, yes: Callable[[], None], no: Callable[[], None] | None = None
    ) -> None:
        """Write ``if (condition) yes; else no;``; the branches must not return."""
        then, other, after = map(self.fresh, ("then", "else", "join"))
        self.do(f"br i1 {condition}, label %{then}, label %{other if no else after}")
        self.start(then)
        yes()
        self.do(f"br label %{after}")
        if no:
            self.start(other)
            no()
            self.do(f"br label %{after}")
        self.start(after)

    def leave_if(
        self, condition: str, actions: Callable[[], None] | None = None, value: str = "void"
    ) -> None:
        """Write ``if (condition) { actions; return value; }``, the value with its type."""
        then, after = map(self.fresh, ("leave", "stay"))
        self.do(f"br i1 {condition}, label %{then}, label %{after}")
        self.start(then)
        if actions:
            actions()
        self.do(f"ret {value}")
        self.start(after)


def turned(f: Function, values: Sequence[str], kind: str, rounds: int = 0) -> list[str]:
    """Columns of a square of rows, vectors of type ``kind``: halves are interleaved log2(n) times.

    Each round moves the first bit of an element's index among all of them behind the last: with
    fewer vectors than lanes as many ``rounds`` as the index of a row has bits turn them, one line
    of columns after the other, and as many as lanes have bits turn them back.
    """
    lanes, half = int(kind[1:].split()[0]), len(values) // 2
    mask = f"<{lanes} x i32>"
    low = [i // 2 + lanes * (i % 2) for i in range(lanes)]
    masks = [f"<{', '.join(f'i32 {n + part}' for n in low)}>" for part in (0, lanes // 2)]
    for _ in range(rounds or lanes.bit_length() - 1):
        values = [
            f.op(f"shufflevector {kind} {a}, {kind} {b}, {mask} {picks}")
            for a, b in zip(values[:half], values[half:], strict=True)
            for picks in masks
        ]
    return [*values]
