"""Random programs of the whole tensor language: ``random_case(source)``.

A producer takes the pool and gives the text of a line over existing entries, or None where
nothing fits. Those here are the everyday ones; ``graph_cases_more`` has the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from fuzz_case import Case, tally
from fuzz_lines import (
    BINARY,
    BITS,
    BOOLEANS,
    CUBES,
    EINSUMS,
    EXTREMES,
    INTEGERS,
    MATRICES,
    ORDER,
    PRODUCTS,
    REDUCTIONS,
    SHAPES,
    SMOOTH,
    STEPS,
)
from fuzz_pool import DTYPES, EXTENTS, Entry, Line, Pool, Producer, Source, leaf_value


def unary(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_float)
    return a and p.choose(SMOOTH).format(a=a)


def steps(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_float and np.all(np.abs(e.value) < 50) and e.steady())
    return a and p.choose(STEPS).format(a=a)


def integers(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_int and np.all(np.abs(e.value.astype("int64")) < 100))
    return a and p.choose(INTEGERS).format(a=a)


def booleans(p: Pool) -> Line:
    a = p.pick(lambda e: e.dtype == "bool" and e.ndim > 0)
    return a and p.choose(BOOLEANS).format(a=a)


def fits(a: Entry) -> Callable[[Entry], bool]:
    """Whether another entry broadcasts with ``a``: only along extents known to be one."""

    def test(b: Entry) -> bool:
        pairs = zip(
            zip(reversed(a.static), reversed(a.shape), strict=True),
            zip(reversed(b.static), reversed(b.shape), strict=True),
            strict=False,
        )
        return all(m == n or one == 1 or other == 1 for (one, m), (other, n) in pairs)

    return test


def binary(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number)
    b = a and p.pick(lambda e: e.is_number and (e.is_float or a.is_float), fits(a))
    return b and p.choose(BINARY).format(a=a, b=b)


def bits(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_int and np.all(np.abs(e.value.astype("int64")) < 100))
    b = a and p.pick(lambda e: e.is_int and np.all(np.abs(e.value.astype("int64")) < 9), fits(a))
    return b and p.choose(BITS).format(a=a, b=b)


def order(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number)
    b = a and p.pick(lambda e: e.is_number, fits(a))
    if b is None:
        return None
    with np.errstate(all="ignore"):
        apart = np.abs(a.value.astype("float64") - b.value.astype("float64"))
    if not (a.exact and b.exact) and np.any(apart < 2e-3):
        return None
    return str(p.choose(ORDER).format(a=a, b=b)), True


def switch(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number)
    c = a and p.pick(lambda e: e.dtype in ("bool", "int64"), fits(a))
    if c is None:
        return None
    broad = Entry("", a.variable + c.variable, np.asarray(a.value + c.value), True)
    b = p.pick(lambda e: e.dtype == a.dtype, fits(broad))
    return (f"T.switch({c}, {a}, {b})", True) if b else None


def _axes(p: Pool, a: Entry) -> dict[str, Any]:
    axes = sorted({p.integer(0, a.ndim - 1) for _ in range(p.integer(1, a.ndim))})
    one = p.choose([*range(a.ndim), -1])
    how = p.choose(["", f", axis={axes}", f", axis={axes}, keepdims=True", f", axis={one}"])
    keep = f", axis={axes}, keepdims=True"
    k = p.integer(1, max(1, a.shape[one]))
    return {"how": how, "axes": f"axis={axes}", "one": one, "keep": keep, "a": a, "k": k}


def reduction(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim > 0)
    if a is None:
        return None
    usable = REDUCTIONS
    if 0 in a.shape or not a.is_float:
        usable = tuple(r for r in REDUCTIONS if "mean" not in r and "var" not in r)
        usable = tuple(r for r in usable if "log" not in r and "soft" not in r)
    return str(p.choose(usable).format(**_axes(p, a)))


def extremes(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim > 0 and 0 not in e.shape, Entry.distinct)
    return a and (p.choose(EXTREMES).format(**_axes(p, a)), a.exact)


def shuffle(p: Pool) -> Line:
    a = p.pick()
    assert a is not None
    order_: list[Any] = [i for i in range(a.ndim) if not (a.static[i] == 1 and p.chance(2))]
    order_.sort(key=lambda i: p.integer(0, 9))
    while len(order_) < 4 and p.chance(3):
        order_.insert(p.integer(0, len(order_)), "x")
    return f"{a}.dimshuffle({order_})", True


def shapes(p: Pool) -> Line:
    a = p.pick(lambda e: e.ndim > 0)
    if a is None:
        return None
    text = p.choose(SHAPES)
    if "-1" in text and "reshape" in text and 0 in a.shape:
        return None
    return text.format(a=a, n=p.integer(0, 3), one=p.integer(0, a.ndim - 1)), True


def matrix(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim == 2 and 0 not in e.shape)
    return a and str(p.choose(MATRICES).format(a=a))


def _rest(a: Entry, axis: int) -> list[Any]:
    return [n for i, n in enumerate(a.shape) if i != axis]


def join(p: Pool) -> Line:
    a = p.pick(lambda e: e.ndim > 0)
    if a is None:
        return None
    axis = p.integer(0, a.ndim - 1)

    def matches(b: Entry) -> bool:
        return b.ndim == a.ndim and _rest(b, axis) == _rest(a, axis)

    parts = [a, *(p.pick(matches) for _ in range(p.integer(1, 3)))]
    return f"T.concatenate([{', '.join(map(str, parts))}], axis={axis})", True


def stack(p: Pool) -> Line:
    a = p.pick()
    assert a is not None
    parts = [a, *(p.pick(lambda b: b.shape == a.shape) for _ in range(p.integer(0, 2)))]
    return f"T.stack([{', '.join(map(str, parts))}], axis={p.integer(0, a.ndim)})", True


def split(p: Pool) -> Line:
    a = p.pick(lambda e: e.ndim > 0)
    if a is None:
        return None
    axis = p.integer(0, a.ndim - 1)
    first = p.integer(0, a.shape[axis])
    rest = p.choose([a.shape[axis] - first, f"{a}.shape[{axis}] - {first}"])
    return f"T.split({a}, [{first}, {rest}], 2, axis={axis})", True


def dot(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim in (1, 2))
    b = a and p.pick(
        lambda e: e.is_number and e.ndim in (1, 2) and e.shape[0] == a.shape[-1],
        lambda e: e.is_float or a.is_float,
    )
    if b and a and p.chance(3) and a.ndim == b.ndim == 2:
        c = p.pick(lambda e: e.is_float and e.shape == (a.shape[0], b.shape[1]))
        if c is not None:
            return f"{c} {p.choose('+-')} {p.choose(['', '0.5 * '])}T.dot({a}, {b})"
    return b and str(p.choose(PRODUCTS).format(a=a, b=b))


def einsum(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim in (2, 3))
    b = a and p.pick(lambda e: e.is_float and e.shape == a.shape)
    return b and str(p.choose(EINSUMS if b.ndim == 2 else CUBES).format(a=a, b=b))


PRODUCERS: dict[Producer, int] = {
    unary: 4, steps: 2, integers: 2, booleans: 1, binary: 5, bits: 2, order: 2, switch: 1,
    reduction: 5, extremes: 3, shuffle: 3, shapes: 4, matrix: 1, join: 2, stack: 1, split: 1,
    dot: 3, einsum: 1,
}  # fmt: skip


def _producers() -> list[Producer]:
    from graph_cases_more import PRODUCERS as MORE

    return [made for made, weight in {**PRODUCERS, **MORE}.items() for _ in range(weight)]


def _leaves(p: Pool) -> list[list[int]]:
    """Inputs and shared variables; for each input which extents it has."""
    common = [p.choose(EXTENTS[:6] if p.chance(2) else EXTENTS[:4]) for _ in range(3)]
    dims = []
    shared = p.choose([0, 0, 1, 2])
    for number in range(p.integer(1, 4) + shared):
        which = [p.choose([0, 1, 2, 0, 1, -1]) for _ in range(p.choose([2, 1, 2, 3, 0, 2]))]
        shape = tuple(1 if w < 0 else common[w] for w in which)
        static = tuple(
            1 if w < 0 and not p.chance(3) else n if p.chance(5) else None
            for w, n in zip(which, shape, strict=True)
        )
        p.leaf(p.choose(DTYPES), shape, static, number < shared)
        if number >= shared:
            dims.append(which)
    return [common, *dims]


LARGER = (*EXTENTS, 9, 17, 33, 64, 130)


def _second(p: Pool, common: list[int], dims: list[list[int]]) -> list[Any]:
    """Arguments of other shapes, where no static shape forbids it: larger ones, ones that do not
    fit each other, ones with NaN and infinity among their values."""
    loose, odd = p.chance(3), p.chance(3)
    other = [p.choose(EXTENTS if loose else LARGER) for _ in common]
    values = []
    for leaf, which in zip(p.case.inputs, dims, strict=True):
        shape = tuple(
            fixed if fixed is not None else 1 if w < 0 else other[w] + (loose and p.chance(6))
            for w, fixed in zip(which, leaf.shape, strict=True)
        )
        value = leaf_value(str(leaf.value.dtype), shape, p.integer(0, 999))
        if odd and value.size and value.dtype.kind == "f":
            for _ in range(p.integer(1, 3)):
                special = p.choose([np.nan, np.inf, -np.inf, -0.0, 1e-40, 300.0, 6e4])
                value.flat[p.integer(0, value.size - 1)] = special
        values.append(value)
    return values


def gradient(p: Pool) -> None:
    """The gradient of the sum of some entries with respect to some others."""
    costs = [p.pick(lambda e: e.is_float) for _ in range(p.integer(1, 2))]
    wrt = p.pick(lambda e: e.is_float and (e.name[0] in "xs" or p.chance(4)))
    if costs[0] is None or wrt is None:
        return
    total = " + ".join(f"T.cast({c}, 'float64').sum()" for c in costs)
    total = p.choose(["{}", "T.sqr({})", "T.tanh({})"]).format(total)
    text = f"T.grad({total}, {wrt}, disconnected_inputs='ignore')"
    try:
        p.add(text)
        tally["gradients"] += 1
    except Exception as error:
        tally[f"no gradient: {type(error).__name__}: {str(error)[:90]}"] += 1
        if p.case.lines and p.case.lines[-1][1] == text:
            p.case.lines.pop()


class CannotBuild(Exception):
    """A line that should be right was refused."""


def random_case(source: Source, steps_: int = 12) -> Case:
    """A case, or CannotBuild with the lines so far."""
    p = Pool(source)
    common, *dims = _leaves(p)
    makers = _producers()
    for _ in range(p.integer(2, steps_)):
        made = p.choose(makers)
        line = made(p)
        if line is None:
            continue
        text, moves = line if isinstance(line, tuple) else (line, False)
        lines = len(p.case.lines)
        try:
            p.add(text, moves)
            tally["lines"] += 1
        except Exception as error:
            del p.case.lines[lines:]
            note = f"{made.__name__}: {text}\n{p.case}"
            raise CannotBuild(note) from error
    while p.chance(2):
        gradient(p)
    return _finished(p, common, dims)


def _finished(p: Pool, common: list[int], dims: list[list[int]]) -> Case:
    outputs = [str(p.entries[-1])]
    outputs += [str(p.pick()) for _ in range(p.integer(0, 3))]
    updates = []
    for leaf in p.case.shared:
        new = p.pick(
            lambda e, v=p.names[leaf.name]: e.variable.type == v.type and e.variable is not v
        )
        if new is not None and not p.chance(3):
            updates.append((leaf.name, str(new)))
    second = _second(p, common, dims) if p.chance(2) else []
    givens = []
    if p.chance(8) and p.case.inputs:
        leaf = p.choose(p.case.inputs)
        others = [x for x in p.case.inputs if p.names[x.name].type == p.names[leaf.name].type]
        text = p.choose([f"{p.choose(others).name} * 1", f"T.zeros_like({leaf.name})"])
        if leaf.value.dtype.kind == "f" and p.choose(others) is not leaf and leaf.name not in text:
            givens.append((leaf.name, text))
    return replace(p.case, outputs=outputs, updates=updates, second=second, givens=givens)
