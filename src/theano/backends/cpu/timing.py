"""Native code that times itself: what each step of a Program costs, for profiles.

Around every step that does work the host function reads the clock (``clock_gettime`` by address),
and adds to the step's counters in the state block: calls, nanoseconds, bytes moved, most bytes made
by one call. A reading costs about 20 ns. Steps inside loops and branches have counters of their
own; the time of a loop includes that of the steps inside.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from theano.backends.cpu import memory
from theano.backends.cpu.entry import TIMER_WORDS, State, clock_address
from theano.backends.cpu.flow import product
from theano.backends.cpu.host_frame import Array, Frame
from theano.backends.cpu.host_steps import Steps
from theano.kernel.ir import Kernel
from theano.lower import program as pg

#: The others are registers and headers of arrays: nanoseconds, less than the clock takes.
TIMED = (pg.Launch, pg.Call, pg.PyCall, pg.Alloc, pg.Reshape, pg.Loop, pg.Branch)


def timed_steps(program: pg.Program) -> tuple[pg.Step, ...]:
    """The steps with counters, in the order of the counters; none where there is no clock."""
    if not clock_address():
        return ()
    return tuple(step for step in pg.walk(program.steps) if isinstance(step, TIMED))


def counters(function: Any, state: State) -> np.ndarray[Any, Any]:
    """The live counters of a built-in function, a row per timed step; see ``TIMER_WORDS``."""
    block: np.ndarray[Any, Any] = function.__self__[0]
    return block[state.timer(0) : state.words].reshape(state.timers, TIMER_WORDS)


class TimedSteps(Steps):
    """Writes steps into a frame with the reading of the clock around them."""

    def __init__(self, frame: Frame, symbols: dict[Kernel, str]) -> None:
        super().__init__(frame, symbols)
        self._numbers = {id(step): i for i, step in enumerate(timed_steps(frame.program))}
        self._time = frame.stack("i64", 2)
        self._clock = frame.word(frame.state.clock)

    def run(self, number: int, step: pg.Step) -> None:
        """Write one step."""
        index = self._numbers.get(id(step))
        if index is None:
            super().run(number, step)
            return
        frame = self.frame
        before = self._now()
        super().run(number, step)
        spent = frame.f.i64("sub", self._now(), before)
        first = frame.state.timer(index)
        self._add(first, "1")
        self._add(first + 1, spent)
        self._add(first + 2, self._moved(step))
        self._most(first + 3, self._made(step))

    def _now(self) -> str:
        """Nanoseconds of the clock."""
        e = self.frame.e
        e.do(f"call i32 {self._clock}(i32 {time.CLOCK_MONOTONIC}, ptr {self._time})")
        seconds = e.emit(f"load i64, ptr {self._time}, align 8")
        place = e.emit(f"getelementptr i64, ptr {self._time}, i64 1")
        rest = e.emit(f"load i64, ptr {place}, align 8")
        return e.emit(f"add i64 {e.emit(f'mul i64 {seconds}, 1000000000')}, {rest}")

    def _add(self, word: int, value: str) -> None:
        if value != "0":
            total = self.frame.f.i64("add", self.frame.word(word, "i64"), value)
            self.frame.set_word(word, total)

    def _most(self, word: int, value: str) -> None:
        if value != "0":
            f, old = self.frame.f, self.frame.word(word, "i64")
            more = f.s.emit(f"icmp sgt i64 {value}, {old}")
            self.frame.set_word(word, f.select(more, "i64", value, old))

    # ------------------------------------------------------------------ bytes

    def _sum(self, values: Iterable[str]) -> str:
        total = "0"
        for value in values:
            total = self.frame.f.i64("add", total, value)
        return total

    def _size(self, array: Array) -> str:
        if array.dtype == pg.OBJECT:
            return "0"
        return product(self.frame.f, (*array.dims, str(memory.itemsize(array.dtype))))

    def _sizes(self, names: Iterable[str]) -> str:
        arrays = self.frame.arrays
        return self._sum(self._size(arrays[name]) for name in names)

    def _moved(self, step: pg.Step) -> str:
        """Bytes that a step reads and writes (i64), each element of an operand counted once."""
        if isinstance(step, pg.Launch):
            return self._sum(self._touched(step, i) for i in range(len(step.operands)))
        if isinstance(step, pg.Call):
            return self._sizes(step.arrays)
        if isinstance(step, pg.PyCall):
            return self._sizes([*step.ins, *(name for name, _, _ in step.outs)])
        return "0"

    def _touched(self, step: pg.Launch, i: int) -> str:
        operand, bound = step.kernel.operands[i], step.operands[i]
        extents = [
            extent for extent, axis in zip(step.extents, bound.axes, strict=True)
            if axis is not None or bound.gather
        ]  # fmt: skip
        sizes = [self.frame.size(extent) for extent in extents]
        return product(self.frame.f, (*sizes, str(memory.itemsize(operand.dtype))))

    def _made(self, step: pg.Step) -> str:
        """Bytes of the arrays that a step makes (i64)."""
        if isinstance(step, (pg.Alloc, pg.Reshape)):
            return self._sizes([step.out])
        if isinstance(step, pg.PyCall):
            return self._sizes([name for name, _, _ in step.outs])
        return "0"
