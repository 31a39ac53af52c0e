"""Calls with junk and with nearly right arguments; what must hold after each is checked."""

from __future__ import annotations

import random
import resource
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from call_targets import Target

import theano.tensor as T

JUNK: list[Any] = [
    1, 0, -1, 1.5, 2**40, 2**70, -(2**63), True, None, "text", b"x", [], [1, 2, 3], [[1], [2, 3]],
    (1, 2), {}, {1: 2}, object(), len, 1j, float("nan"), np.float32(2), np.int8(3), np.bool_(True),
    np.ones(3), np.ones(0), np.ones((3, 3)), np.ones((0, 3)), np.arange(3), np.arange(3) - 5,
    np.ones((2, 2, 2)), np.array(1.0), np.array(None), np.array(["a"]), np.ones(3, "M8[s]"),
    np.ones(3, "F"), np.zeros(2, "f8,i4"), T.dvector(), slice(None), range(3), memoryview(b"abcd"),
    np.full(3, np.inf), np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), Ellipsis, sp.eye(3).tocsr(),
    np.ones((1,) * 32), np.longdouble(1), np.ones(4, "S3"), [None], [[]], type, iter([1]), {1.0},
]  # fmt: skip
NAMES = ("x", "m", "i", "v", "other", "", "output_subset", "v0", "m0", "m1")
CLEAR = (
    TypeError, ValueError, IndexError, ZeroDivisionError, AssertionError, MemoryError, KeyError,
    OverflowError, NotImplementedError, np.linalg.LinAlgError,
)  # fmt: skip


# What these give for singular matrices depends on roundings.
LOOSE = ("qr", "inverse", "solve", "cholesky")


def _unaligned(a: Any) -> Any:
    raw = np.zeros(a.nbytes + 1, "uint8")
    made = raw[1:].view(a.dtype).reshape(a.shape)
    made[...] = a
    return made


def _frozen(a: Any) -> Any:
    made = a.copy()
    made.flags.writeable = False
    return made


def _strided(a: Any) -> Any:
    wide = np.zeros((*a.shape[:-1], a.shape[-1] * 3), a.dtype) if a.ndim else a
    if not a.ndim:
        return a
    wide[..., ::3] = a
    return wide[..., ::3]


def _resized(a: Any, rng: random.Random) -> Any:
    return np.resize(a, tuple(rng.choice([0, 1, 2, 3, 4, 5, n]) for n in a.shape))


def _huge(a: Any, rng: random.Random) -> Any:
    shape = (2 ** rng.choice([10, 13, 16]), *a.shape[1:])
    return np.broadcast_to(a[:1], shape) if a.ndim and len(a) else a


Change = Callable[[Any, random.Random], Any]
FILLERS = (0, 1, 2, 3, -1, -3, 100)
DTYPES = ("f4", "f2", "i8", "i1", "u8", "?", "F", "f8")
# What does not apply raises, or gives the array back.
CHANGES: list[Change] = [
    lambda a, r: a, lambda a, r: a, lambda a, r: a.copy(), lambda a, r: a[::-1],
    lambda a, r: np.asfortranarray(a), lambda a, r: _unaligned(a), lambda a, r: _frozen(a),
    lambda a, r: _strided(a), lambda a, r: a.astype(a.dtype.newbyteorder()),
    _resized, _resized, _huge, lambda a, r: a.astype(r.choice(DTYPES)), lambda a, r: a.tolist(),
    lambda a, r: a.T, lambda a, r: a[None], lambda a, r: a.ravel(), lambda a, r: a[:0],
    lambda a, r: np.broadcast_to(a[:1], a.shape), lambda a, r: np.full_like(a, r.choice(FILLERS)),
    lambda a, r: -a, lambda a, r: a * np.nan, lambda a, r: a.astype(object), lambda a, r: a + 10,
    lambda a, r: np.lib.stride_tricks.as_strided(a, a.shape, (0,) * a.ndim),
    lambda a, r: a.view(np.matrix), lambda a, r: np.ma.array(a), lambda a, r: a[..., 0],
]  # fmt: skip


def gigantic(a: Any) -> Any:
    """More elements than any memory holds, in one element's memory."""
    shape = {1: (2**40,), 2: (2**20, 2**20)}.get(a.ndim)
    return a if shape is None else np.broadcast_to(np.ones((1,) * a.ndim, a.dtype), shape)


def argument(good: Any, rng: random.Random, allocates: bool) -> Any:
    """A good argument, one nearly so, or junk."""
    kind = rng.random()
    if kind < 0.12:
        return rng.choice(JUNK)
    if kind < 0.5:
        return good
    if sp.issparse(good):
        return rng.choice(
            [good.tocsc(), good.astype("f4"), good[:2], good.toarray(), good.T, good * 2]
        )
    a = np.asarray(good)
    if allocates and kind > 0.997:
        return gigantic(a)
    for _ in range(rng.choice([1, 1, 2])):
        if not isinstance(a, np.ndarray) or a.dtype == object:
            return a
        try:
            a = rng.choice(CHANGES)(a, rng)
        except (TypeError, ValueError, OverflowError, IndexError):
            continue
    return a


def arguments(target: Target, rng: random.Random) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments."""
    # Gigantic only together: an operand of few elements would be refused for its shape.
    args = [argument(good, rng, target.allocates) for good in target.good]
    if rng.random() < 0.03:
        args = args[:-1] if rng.random() < 0.5 else [*args, rng.choice(JUNK)]
    kwargs = {rng.choice(NAMES): rng.choice(JUNK)} if rng.random() < 0.02 else {}
    return args, kwargs


@dataclass
class Caller:
    """Calls at random; ``problems`` says what went wrong."""

    targets: list[Target]
    seed: int
    check_values: bool = True
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    note: Callable[[str], object] = lambda text: None

    def run(self, calls: int) -> None:
        rng = random.Random(self.seed)
        for number in range(calls):
            target = rng.choice(self.targets)
            args, kwargs = arguments(target, rng)
            self.note(f"{self.seed} {number} {target.name}")
            if rng.random() < 0.01:
                self.meddle(target, rng)
            self.one(target, args, kwargs, check=rng.random() < 0.04)

    def meddle(self, target: Target, rng: random.Random) -> None:
        """Free what the function keeps between calls; other values for its shared variables."""
        if rng.random() < 0.3:
            target.f.free()
        if not self.check_values or not target.twins:
            return
        for s, start in zip(target.shared, target.start, strict=True):
            value = rng.choice([start, start, argument(start, rng, False)])
            if isinstance(value, np.ndarray) and value.size > 1000:
                continue
            try:
                s.set_value(value)
            except Exception as error:
                self.counts["set_value refused"] += 1
                if not isinstance(error, CLEAR) or not str(error).strip():
                    self._say(target, [value], f"set_value: {type(error).__name__}: {error}")

    def one(self, target: Target, args: list[Any], kwargs: dict[str, Any], check: bool) -> None:
        """One call and what must hold after it."""
        before = [s.get_value() for s in target.shared] if self.check_values else []
        held = self._hold(args) if check else []
        try:
            found = target.f(*args, **kwargs)
        except Exception as error:
            self.counts["refused"] += 1
            self._refused(target, args, error, before)
            return
        self.counts["taken"] += 1
        plain = target.expected is not None and not kwargs and len(args) == len(target.good)
        if plain and all(a is b for a, b in zip(args, target.good, strict=True)):
            self.counts["known results"] += 1
            if not _alike(found, target.expected):
                self._say(target, args, f"gives {found!r:.300}, not {target.expected!r:.300}")
        if check and self.check_values:
            if held != self._hold(args):
                self._say(target, args, "changed an argument")
            self._compare(target, args, kwargs, found, before)

    @staticmethod
    def _hold(args: list[Any]) -> list[Any]:
        plain = (a for a in args if isinstance(a, np.ndarray) and a.size < 10000)
        return [a.tobytes() for a in plain if a.dtype != object]

    def _say(self, target: Target, args: list[Any], what: str) -> None:
        self.counts["problems"] += 1
        if len(self.problems) < 50:
            shown = ", ".join(_described(a) for a in args)
            self.problems.append(f"{target.name}({shown}): {what}")

    def _refused(self, target: Target, args: Any, error: Exception, before: Any) -> None:
        self.counts[type(error).__name__] += 1
        if not isinstance(error, CLEAR) or not str(error).strip():
            self._say(target, args, f"{type(error).__name__}: {str(error)[:300]}")
        if not self.check_values:
            return
        for s, old in zip(target.shared, before, strict=True):
            if not _same(s.get_value(), old):
                self._say(target, args, f"a failed call changed {s}")

    def _compare(self, target: Target, args: Any, kwargs: Any, found: Any, before: Any) -> None:
        if len(target.twins) != len(target.shared) or target.name in LOOSE:
            return
        if any(isinstance(a, np.ndarray) and a.size > 10**6 for a in args):
            return
        for twin, old in zip(target.twins, before, strict=True):
            twin.set_value(old)
        try:
            wanted = target.twin(*args, **kwargs)
        except Exception as error:
            self._say(
                target, args, f"the reference raises {type(error).__name__}: {str(error)[:300]}"
            )
            return
        self.counts["compared"] += 1
        if not _alike(found, wanted):
            self._say(target, args, f"gives {found!r:.300} instead of {wanted!r:.300}")
        for s, t in zip(target.shared, target.twins, strict=True):
            if not _close(s.get_value(), t.get_value()):
                self._say(
                    target, args, f"{s} became {s.get_value()!r:.300}, not {t.get_value()!r:.300}"
                )


def _described(a: Any) -> str:
    if isinstance(a, np.ndarray):
        values = f" = {a.tolist()}" if a.size < 13 and a.dtype.kind in "biuf" else ""
        return f"{a.dtype.str}{a.shape} strides {a.strides}{values}"
    return f"{type(a).__name__} {a!r:.60}"


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    return True


def _alike(found: Any, wanted: Any) -> bool:
    if isinstance(found, list):
        return len(found) == len(wanted) and all(map(_close, found, wanted))
    return _close(found, wanted)


def _close(a: Any, b: Any) -> bool:
    if sp.issparse(a):
        a, b = a.toarray(), b.toarray()
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    tolerance = {"float32": 1e-4, "float16": 1e-2}.get(str(a.dtype), 1e-8)
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)) or _off(a, b)


def _off(a: Any, b: Any) -> bool:
    """Whether the arrays differ by little relative to the largest entry."""
    if a.dtype.kind not in "fc":
        return False
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    size = np.max(np.abs(b[np.isfinite(b)]), initial=1)
    return bool(np.all(same | (np.abs(a - b) <= 1e-6 * size)))


def at_once(targets: list[Target], seed: int, calls: int, count: int = 4) -> list[str]:
    """Calls by several threads; what goes wrong."""
    callers = [Caller(targets, seed * 100 + i, check_values=False) for i in range(count)]
    threads = [threading.Thread(target=c.run, args=(calls,)) for c in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    problems = [p for c in callers for p in c.problems]
    done = sum(c.counts["taken"] + c.counts["refused"] for c in callers)
    return problems if done == calls * count else [*problems, f"{done} calls of {calls * count}"]


def limit_memory(gigabytes: float) -> None:
    """Bound the address space of this process, so that gigantic requests fail."""
    size = int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def resident() -> int:
    """Bytes of this process in memory now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
