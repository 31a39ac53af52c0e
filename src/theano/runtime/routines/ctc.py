"""Connectionist temporal classification: how probable label sequences are, and through which
labels at which times.

The recursions are those of Graves, Fernández, Gomez, Schmidhuber, "Connectionist temporal
classification", ICML 2006, on logarithms, in float64. Sequences of a batch are independent, and
split over threads.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.irtext import Function
from theano.runtime.mt19937 import _math_library
from theano.runtime.routines.base import (
    ITEMSIZE,
    KINDS,
    PARTS_HELPERS,
    Part,
    Routine,
    RoutineFailed,
    Sample,
    Text,
    Writer,
    in_parts,
)

if TYPE_CHECKING:
    from theano.runtime.support import Target

BLANK: Final = 0
_NEVER: Final = "0xFFF0000000000000"  # the logarithm of 0
_WEIGHT: Final = 8000  # of a position of a path: about 60 nanoseconds
_FUNCTIONS: Final = ("exp", "log")
_logsumexp: Final[Any] = np.logaddexp.reduce  # NumPy 2.5's types refuse it without keepdims


def extended(labels: Any, classes: int) -> list[int]:
    """The labels of a sequence with blanks between and around; negative ones are left out.

    RoutineFailed for labels that are blank or beyond the classes.
    """
    found = [int(label) for label in labels if label >= 0]
    if any(not BLANK < label < classes for label in found):
        raise RoutineFailed("labels must be 1 … classes - 1; negative ones fill up")
    result = [BLANK]
    for label in found:
        result += [label, BLANK]
    return result


def _sequence(logp: Any, path: list[int]) -> tuple[float, Any]:
    """Cost and, for each time and class, the probability of that class given the labels."""
    times, states = len(logp), len(path)
    post = np.zeros(logp.shape)
    if times == 0:
        return (0.0 if states == 1 else np.inf), post
    emitted = logp[:, path]
    skip = np.array([s % 2 == 1 and s > 1 and path[s] != path[s - 2] for s in range(states)])
    alpha, beta = np.full((2, times, states), -np.inf)
    alpha[0, :2] = emitted[0, :2]
    beta[-1, -2:] = 0
    for t in range(1, times):
        before = np.full((3, states), -np.inf)
        before[0], before[1, 1:] = alpha[t - 1], alpha[t - 1, :-1]
        before[2, 2:] = np.where(skip[2:], alpha[t - 1, :-2], -np.inf)
        alpha[t] = _logsumexp(before) + emitted[t]
    for t in range(times - 2, -1, -1):
        later, after = beta[t + 1] + emitted[t + 1], np.full((3, states), -np.inf)
        after[0], after[1, :-1] = later, later[1:]
        after[2, :-2] = np.where(skip[2:], later[2:], -np.inf)
        beta[t] = _logsumexp(after)
    total = _logsumexp(alpha[-1, -2:])
    if total > -np.inf:
        for state, label in enumerate(path):
            post[:, label] += np.exp(alpha[:, state] + beta[:, state] - total)
    return -total, post


def _ctc(costs: Any, post: Any, logp: Any, labels: Any, lengths: Any) -> None:
    if ((lengths < 0) | (lengths > len(logp))).any():
        raise RoutineFailed("lengths must be 0 … the number of times")
    paths = [extended(row, logp.shape[2]) for row in labels]
    post[...] = 0
    for b, (length, path) in enumerate(zip(lengths, paths, strict=True)):
        with np.errstate(all="ignore"):
            costs[b], post[:length, b] = _sequence(logp[:length, b].astype("float64"), path)


# native text -------------------------------------------------------------------------------------

_HEAD: Final = """
declare ptr @th_alloc(i64)
declare void @th_free(ptr)
declare double @th_libm_exp(double)
declare double @th_libm_log(double)
"""


def _sum_of_powers() -> str:
    """``double @lse3(a, b, c)``: the logarithm of e^a + e^b + e^c.

    It is the largest, plus log(1 + …) of the other two; what is 40 less does not count in float64.
    """
    f = Function("internal double @lse3(double %a, double %b, double %c)")

    def ordered(a: str, b: str) -> tuple[str, str]:
        more = f.op(f"fcmp ogt double {a}, {b}")
        return (
            f.op(f"select i1 {more}, double {a}, double {b}"),
            f.op(f"select i1 {more}, double {b}, double {a}"),
        )

    larger, first = ordered("%a", "%b")
    top, second = ordered(larger, "%c")
    least = f.op(f"fsub double {top}, 40.0")

    def power(value: str) -> str:
        def found() -> list[str]:
            apart = f.op(f"fsub double {value}, {top}")
            return [f.op(f"call double @th_libm_exp(double {apart})")]

        # (never, if the largest is -inf)
        counts = f.op(f"fcmp ogt double {value}, {least}")
        return f.choose(counts, [("double", "0.0")], found)[0]

    total = f.op(f"fadd double {power(first)}, {power(second)}")
    some = f.op(f"fcmp ogt double {total}, 0.0")

    def more() -> list[str]:
        whole = f.op(f"fadd double {total}, 1.0")
        logarithm = f.op(f"call double @th_libm_log(double {whole})")
        return [f.op(f"fadd double {top}, {logarithm}")]

    found = f.choose(some, [("double", top)], more)[0]
    plain = f.op(f"fadd double {f.op('fadd double %a, %b')}, %c")
    missing = f.op(f"fcmp uno double {plain}, {plain}")
    f.do(f"ret double {f.op(f'select i1 {missing}, double {plain}, double {found}')}")
    return f.text()


class _Writer:
    """Writes the routine: arrays are costs, posteriors, log-probabilities, labels, lengths.

    Rows of states have two states that never are, before and after: ``path[s + 2]`` is the label of
    state s, ``skip[s + 2]`` is 0 where s can follow s - 2, else -inf.
    """

    def __init__(self, dtype: str) -> None:
        self.kind, self.size = KINDS[dtype], ITEMSIZE[dtype]
        self.f: Part = Part("", ROUTINES[0])

    def text(self, symbol: str) -> Text:
        """The whole module."""
        library = _math_library()
        addresses = {
            f"th_libm_{name}": ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            for name in _FUNCTIONS
        }
        parts = in_parts(symbol, ROUTINES[0], self.plan, self.body)
        return Text(_HEAD + _sum_of_powers() + parts, (*PARTS_HELPERS, "th_alloc", "th_free"),
                    addresses)  # fmt: skip

    def plan(self, f: Writer) -> tuple[str, str, int]:
        """Sequences; each has so many times and states."""
        states = f.binary("add", f.binary("mul", f.dim(3, 1), 2), 1)
        return f.dim(0, 0), f.binary("mul", states, f.dim(2, 0)), _WEIGHT

    def load(self, address: str) -> str:
        """An element as a double."""
        value = self.f.op(f"load {self.kind}, ptr {address}, align 1")
        return value if self.kind == "double" else self.f.op(f"fpext float {value} to double")

    def store(self, value: str, address: str) -> None:
        """The reverse."""
        if self.kind != "double":
            value = self.f.op(f"fptrunc double {value} to float")
        self.f.do(f"store {self.kind} {value}, ptr {address}, align 1")

    def get(self, row: str, index: str, kind: str = "double") -> str:
        """An element of scratch memory."""
        return self.f.op(f"load {kind}, ptr {self.f.at(kind, row, index)}, align 8")

    def put(self, value: str, row: str, index: str, kind: str = "double") -> None:
        """The reverse."""
        self.f.do(f"store {kind} {value}, ptr {self.f.at(kind, row, index)}, align 8")

    def body(self, f: Part, first: str, end: str) -> None:
        """Sequences ``first`` to ``end``."""
        self.f = f
        f.each(first, end, 1, self.check)
        self.times, self.classes = f.dim(2, 0), f.dim(2, 2)
        self.row = f.binary("add", f.binary("mul", f.dim(3, 1), 2), 5)
        rows = f.binary("add", self.times, 4)
        bytes_ = f.binary("mul", f.binary("mul", self.row, rows), 8)
        block = f.op(f"call ptr @th_alloc(i64 {bytes_})")
        f.fail_if(f.op(f"icmp eq ptr {block}, null"))
        self.path, self.skip, self.now, self.then, self.alpha = (
            f.at("double", block, f.binary("mul", self.row, i)) for i in range(5)
        )
        f.each(first, end, 1, self.sequence)
        f.do(f"call void @th_free(ptr {block})")

    def label(self, b: str, i: str) -> str:
        """A label (i64)."""
        f = self.f
        place = f.place(f.pointer(3), (b, f.stride(3, 0)), (i, f.stride(3, 1)))
        return f.op(f"load i64, ptr {place}, align 1")

    def length(self, b: str) -> str:
        """The length of a sequence."""
        f = self.f
        return f.op(f"load i64, ptr {f.place(f.pointer(4), (b, f.stride(4, 0)))}, align 1")

    def check(self, b: str) -> None:
        """Fail for labels and lengths out of range."""
        f = self.f
        f.fail_if(f.op(f"icmp ugt i64 {self.length(b)}, {f.dim(2, 0)}"))
        classes = f.dim(2, 2)
        # With no times at all the classes still count.
        f.fail_if(f.op(f"icmp slt i64 {classes}, 1"))

        def one(i: str) -> None:
            label = self.label(b, i)
            blank = f.op(f"icmp eq i64 {label}, {BLANK}")
            beyond = f.op(f"icmp sge i64 {label}, {classes}")
            f.fail_if(f.op(f"or i1 {blank}, {beyond}"))

        f.each(0, f.dim(3, 1), 1, one)

    def prepare(self, b: str) -> str:
        """Write the path and where it can skip; the number of states."""
        f = self.f

        def never(i: str) -> None:
            self.put(str(BLANK), self.path, i, "i64")
            self.put(_NEVER, self.skip, i)

        f.each(0, self.row, 1, never)

        def one(i: str, values: list[str]) -> list[str]:
            count, before = values
            label = self.label(b, i)

            def add() -> list[str]:
                state = f.binary("add", f.binary("mul", count, 2), 3)
                self.put(label, self.path, state, "i64")
                other = f.op(f"icmp ne i64 {label}, {before}")
                self.put(f.op(f"select i1 {other}, double 0.0, double {_NEVER}"), self.skip, state)
                return [f.binary("add", count, 1), label]

            some = f.op(f"icmp sge i64 {label}, 0")
            return f.choose(some, [("i64", count), ("i64", before)], add)

        count, _ = f.loop(0, f.dim(3, 1), 1, [("i64", "0"), ("i64", "-1")], one)
        return f.binary("add", f.binary("mul", count, 2), 1)

    def fill(self, row: str) -> None:
        """States that never are."""
        self.f.each(0, self.row, 1, lambda i: self.put(_NEVER, row, i))

    def emitted(self, b: str, t: str, state: str) -> str:
        """The log-probability of a state's label (``state`` counts from 2)."""
        f = self.f
        label = self.get(self.path, state, "i64")
        moves = ((t, f.stride(2, 0)), (b, f.stride(2, 1)), (label, f.stride(2, 2)))
        return self.load(f.place(f.pointer(2), *moves))

    def sequence(self, b: str) -> None:
        """One sequence."""
        f = self.f

        def clear(t: str) -> None:
            row = f.place(f.pointer(1), (t, f.stride(1, 0)), (b, f.stride(1, 1)))
            f.each(0, self.classes, 1,
                   lambda c: self.store("0.0", f.place(row, (c, f.stride(1, 2)))))  # fmt: skip

        f.each(0, self.times, 1, clear)
        states, length = self.prepare(b), self.length(b)
        some = f.op(f"icmp sgt i64 {length}, 0")
        single = f.op(f"icmp eq i64 {states}, 1")
        nothing = f.op(f"select i1 {single}, double 0.0, double {_NEVER}")
        (total,) = f.choose(some, [("double", nothing)], lambda: [self.forward(b, states, length)])
        self.store(f.op(f"fneg double {total}"), f.place(f.pointer(0), (b, f.stride(0, 0))))
        possible = f.op(f"fcmp ogt double {total}, {_NEVER}")
        f.when(f.both(some, possible), lambda: self.backward(b, states, length, total))

    def at_time(self, t: str) -> str:
        """The row of forward variables."""
        return self.f.at("double", self.alpha, self.f.binary("mul", t, self.row))

    def forward(self, b: str, states: str, length: str) -> str:
        """Forward variables at all times; the logarithm of the labels' probability."""
        f = self.f
        self.fill(self.alpha)
        begin = f.smin(states, 2)

        def start(s: str) -> None:
            state = f.binary("add", s, 2)
            self.put(self.emitted(b, "0", state), self.alpha, state)

        f.each(0, begin, 1, start)

        def step(t: str) -> None:
            before, now = self.at_time(f.binary("sub", t, 1)), self.at_time(t)
            self.fill(now)

            def one(s: str) -> None:
                state = f.binary("add", s, 2)
                far = f.op(f"fadd double {self.get(before, s)}, {self.get(self.skip, state)}")
                near = self.get(before, f.binary("add", s, 1))
                value = self.sum_of(self.get(before, state), near, far)
                emitted = self.emitted(b, t, state)
                self.put(f.op(f"fadd double {value}, {emitted}"), now, state)

            f.each(0, states, 1, one)

        f.each(1, length, 1, step)
        last = self.at_time(f.binary("sub", length, 1))
        end, before = (self.get(last, f.binary("add", states, i)) for i in (1, 0))
        return self.sum_of(end, before, _NEVER)

    def sum_of(self, a: str, b: str, c: str) -> str:
        """The logarithm of the sum of three probabilities."""
        return self.f.op(f"call double @lse3(double {a}, double {b}, double {c})")

    def backward(self, b: str, states: str, length: str, total: str) -> None:
        """Backward variables, time after time, and the posteriors.

        ``then`` holds backward variables plus what is emitted, one time later.
        """
        f = self.f
        last = f.binary("sub", length, 1)
        self.fill(self.now)
        for i in (1, 0):
            place = f.smax(f.binary("add", states, i), 2)
            self.put("0.0", self.now, place)
        self.gather(b, last, states, total)

        def step(back: str) -> None:
            t = f.binary("sub", last, back)
            after = f.binary("add", t, 1)
            self.fill(self.then)

            def shift(s: str) -> None:
                state = f.binary("add", s, 2)
                value = self.get(self.now, state)
                emitted = self.emitted(b, after, state)
                self.put(f.op(f"fadd double {value}, {emitted}"), self.then, state)

            f.each(0, states, 1, shift)

            def one(s: str) -> None:
                state = f.binary("add", s, 2)
                two = f.binary("add", s, 4)
                far = f.op(f"fadd double {self.get(self.then, two)}, {self.get(self.skip, two)}")
                near = self.get(self.then, f.binary("add", s, 3))
                self.put(self.sum_of(self.get(self.then, state), near, far), self.now, state)

            f.each(0, states, 1, one)
            self.gather(b, t, states, total)

        f.each(1, length, 1, step)

    def gather(self, b: str, t: str, states: str, total: str) -> None:
        """Add the probabilities of states to those of their labels."""
        f = self.f
        alpha = self.at_time(t)
        row = f.place(f.pointer(1), (t, f.stride(1, 0)), (b, f.stride(1, 1)))

        def one(s: str) -> None:
            state = f.binary("add", s, 2)
            both = f.op(f"fadd double {self.get(alpha, state)}, {self.get(self.now, state)}")
            apart = f.op(f"fsub double {both}, {total}")
            value = f.op(f"call double @th_libm_exp(double {apart})")
            label = self.get(self.path, state, "i64")
            place = f.place(row, (label, f.stride(1, 2)))
            self.store(f.op(f"fadd double {self.load(place)}, {value}"), place)

        f.each(0, states, 1, one)


def _text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    del target
    return _Writer(dtypes[0]).text(symbol)


def _samples(rng: Any) -> Iterator[Sample]:
    """Sequences of several lengths, repeated labels, paths that do not fit, nothing."""
    for dtype in ("float32", "float64"):
        for times, batch, classes, most in ((7, 4, 5, 3), (1, 2, 3, 1), (12, 3, 4, 5), (3, 2, 3, 4),
                                            (4, 2, 3, 0), (0, 2, 3, 2), (5, 0, 3, 2)):  # fmt: skip
            scores = rng.normal(size=(times, batch, classes)) * 3
            logp = scores - _logsumexp(scores, axis=2, keepdims=True)
            labels = rng.integers(1, classes, (batch, most))
            labels[:, most // 2 :][::2] = -1
            lengths = rng.integers(times // 2, times + 1, batch)
            empty = np.zeros(batch, dtype), np.zeros(logp.shape, dtype)
            yield Sample((*empty, logp.astype(dtype), labels, lengths))
        for label, length in ((0, 2), (3, 2), (1, 5), (1, -1)):
            arrays = (np.zeros(1, dtype), np.zeros((4, 1, 3), dtype), np.zeros((4, 1, 3), dtype))
            yield Sample((*arrays, np.array([[label]]), np.array([length])))


ROUTINES: Final = (Routine("ctc", (1, 3, 3, 2, 1), 2, _ctc, _text, samples=_samples),)
