"""Random graphs: typed expressions of ranks 0 to 3 over few extents, for any backend to be tested.

``random_graph(draw)`` gives ``(inputs, outputs, values)``, ``random_function(draw)`` also updates
of shared variables. Every expression is evaluated as it is built, so operands fit (unless
``mismatch`` asks for ones that do not).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.graph.tensor_type import TensorType
from theano.ops.extents import size_of

DTYPES = ("float64", "float32", "int32", "bool")
EXTENTS = (3, 4, 2, 1, 5, 0)
LARGE = 1e3


@dataclass
class Pool:
    """Expressions so far, with their values."""

    draw: Any
    inputs: list[Any] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    known: dict[Any, Any] = field(default_factory=dict)

    def pick(self, test: Callable[[Any], bool] = lambda v: True) -> Any:
        """An expression for which ``test`` holds, else None; late ones are likelier."""
        fitting = [v for v in self.known if test(v)]
        if not fitting:
            return None
        return fitting[-1 - self.draw(st.integers(0, len(fitting) - 1))]

    def choose(self, options: Any) -> Any:
        """One of several things."""
        return self.draw(st.sampled_from(list(options)))

    def shape(self, v: Any) -> tuple[int, ...]:
        """The extents of an expression's value."""
        return self.known[v].shape  # type: ignore[no-any-return]

    def add(self, v: Any) -> None:
        """Evaluate and keep an expression, unless its values are too large or not numbers."""
        value = evaluate(v, self.known)
        if value.size > 400:
            return
        with np.errstate(all="ignore"):
            tame = value.dtype == bool or bool(np.all(np.abs(value) < LARGE))
        if tame:
            self.known[v] = value


def evaluate(variable: Any, known: dict[Any, Any]) -> Any:
    """The value by ``perform``, given those of other expressions."""
    found: dict[Any, Any] = {}
    todo = [variable]
    while todo:
        v = todo[-1]
        if v in known or v in found:
            todo.pop()
            continue
        if v.owner is None:
            found[v] = v.data
            continue
        pending = [x for x in v.owner.inputs if x not in known and x not in found]
        if pending:
            todo.extend(pending)
            continue
        cells: list[list[Any]] = [[None] for _ in v.owner.outputs]
        args = [found[x] if x in found else known[x] for x in v.owner.inputs]
        with np.errstate(all="ignore"):
            v.owner.op.perform(v.owner, args, cells)
        for out, cell in zip(v.owner.outputs, cells, strict=True):
            found.setdefault(out, np.asarray(cell[0]))
    return known[variable] if variable in known else found[variable]


def is_float(v: Any) -> bool:
    return v.type.dtype.startswith("float")  # type: ignore[no-any-return]


def is_number(v: Any) -> bool:
    return v.type.dtype != "bool"  # type: ignore[no-any-return]


def _array(dtype: str, shape: tuple[int, ...], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.startswith("int"):
        return rng.integers(-5, 6, shape).astype(dtype)
    return np.asarray(rng.normal(size=shape)).astype(dtype)


# operations: each takes the pool and gives an expression, or None where nothing fits ------------

UNARY: dict[str, Callable[[Any], Any]] = {
    "neg": lambda a: -a, "abs": abs, "sqr": lambda a: T.tanh(a) ** 2, "tanh": T.tanh,
    "sigmoid": T.nnet.sigmoid, "exp": lambda a: T.exp(T.tanh(a)), "floor": T.floor,
    "log": lambda a: T.log1p(abs(a)), "sign": T.sgn, "add one": lambda a: a + 1,
    "half": lambda a: a * 0.5, "as int": lambda a: T.cast(a, "int32"),
    "as float": lambda a: T.cast(a, "float32"), "as double": lambda a: T.cast(a, "float64"),
    "floordiv": lambda a: a // 2, "mod": lambda a: a % 3,
}  # fmt: skip
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
    "maximum": T.maximum, "minimum": T.minimum, "div": lambda a, b: a / (1 + abs(b)),
}  # fmt: skip
COMPARE: dict[str, Callable[[Any, Any], Any]] = {"lt": T.lt, "ge": T.ge, "eq": T.eq}
REDUCE: dict[str, Callable[..., Any]] = {
    "sum": T.sum, "max": T.max, "min": T.min, "mean": T.mean, "prod": T.prod,
}  # fmt: skip
ROWS: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda a: T.nnet.softmax(a), "logsoftmax": lambda a: T.nnet.logsoftmax(a),
    "var": lambda a: T.var(a, axis=-1), "center": lambda a: a - a.mean(axis=-1, keepdims=True),
    "norm": lambda a: a / T.sqrt(1 + T.sqr(a).sum(axis=-1, keepdims=True)),
    "lse": lambda a: T.log(T.sum(T.exp(T.tanh(a)), axis=-1)),
    "columns": lambda a: a - a.max(axis=0, keepdims=True),
}  # fmt: skip


def unary(p: Pool) -> Any:
    a = p.pick(is_number)
    return None if a is None else UNARY[p.choose(UNARY)](a)


def _fits(p: Pool, a: Any) -> Callable[[Any], bool]:
    """Whether another expression broadcasts with ``a`` as Theano has it."""

    def test(b: Any) -> bool:
        pairs = zip(
            zip(reversed(a.type.broadcastable), reversed(p.shape(a)), strict=True),
            zip(reversed(b.type.broadcastable), reversed(p.shape(b)), strict=True),
            strict=False,
        )
        return all(m == n or one or other for (one, m), (other, n) in pairs)

    return test


def binary(p: Pool) -> Any:
    a = p.pick(is_number)
    if a is None:
        return None
    fits = _fits(p, a)
    b = p.pick(lambda v: is_number(v) and fits(v))
    return BINARY[p.choose(BINARY)](a, b)


def compare(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.dtype == "int32")
    if a is None:
        return None
    fits = _fits(p, a)
    b = p.pick(lambda v: v.type.dtype == "int32" and fits(v))
    return COMPARE[p.choose(COMPARE)](a, b)


def switch(p: Pool) -> Any:
    a = p.pick(is_number)
    if a is None:
        return None
    fits = _fits(p, a)
    condition = p.pick(lambda v: v.type.dtype in ("bool", "int32") and fits(v))
    return None if condition is None else T.switch(condition, a, 0.5)


def dimshuffle(p: Pool) -> Any:
    a = p.pick()
    drop = [i for i, one in enumerate(a.type.broadcastable) if one and p.draw(st.booleans())]
    order: list[Any] = [i for i in range(a.type.ndim) if i not in drop]
    order = list(p.draw(st.permutations(order))) if order else []
    while len(order) < 3 and p.draw(st.integers(0, 2)) == 0:
        order.insert(p.draw(st.integers(0, len(order))), "x")
    return a.dimshuffle(order)


def reduce(p: Pool) -> Any:
    a = p.pick(lambda v: is_number(v) and v.type.ndim > 0)
    if a is None:
        return None
    kind = p.choose(REDUCE)
    axes = p.draw(st.sets(st.integers(0, a.type.ndim - 1), min_size=1))
    if kind in ("max", "min") and 0 in p.shape(a):
        return None
    if kind == "prod":
        a = T.tanh(a)
    return REDUCE[kind](a, axis=tuple(sorted(axes)), keepdims=p.draw(st.booleans()))


def argmax(p: Pool) -> Any:
    a = p.pick(lambda v: is_number(v) and v.type.ndim > 0 and 0 not in p.shape(v))
    if a is None:
        return None
    axis = p.choose([None, *range(a.type.ndim)])
    return T.argmax(T.cast(T.floor(a), "int32"), axis=axis)


def rows(p: Pool) -> Any:
    a = p.pick(
        lambda v: is_float(v) and v.type.ndim == 2 and 0 not in p.shape(v)
        and not v.type.broadcastable[1]
    )  # fmt: skip
    return None if a is None else ROWS[p.choose(ROWS)](a)


def _index(p: Pool, extent: int) -> int:
    return p.draw(st.integers(-extent, extent - 1))  # type: ignore[no-any-return]


def subtensor(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.ndim > 0)
    if a is None:
        return None
    return a[_where(p, a)]


def _where(p: Pool, a: Any) -> Any:
    where: list[Any] = []
    bound = st.one_of(st.none(), st.integers(-5, 5))
    for extent in p.shape(a)[: p.draw(st.integers(1, a.type.ndim))]:
        if extent and p.draw(st.integers(0, 2)) == 0:
            position = _index(p, extent)
            where.append(T.constant(position) + size_of(a, 0) * 0 if position > 1 else position)
        else:
            where.append(slice(p.draw(bound), p.draw(bound), p.choose([1, 1, -1, 2, -2])))
    return tuple(where)


def _vector_index(p: Pool, extent: int) -> Any:
    entries = p.draw(st.lists(st.integers(-extent, extent - 1), max_size=5)) if extent else []
    return T.constant(np.array(entries, dtype=p.choose(["int64", "int32"]))) + 0


def take(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.ndim > 0)
    return None if a is None else a[_vector_index(p, p.shape(a)[0])]


def pairs(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.ndim > 1 and p.shape(v)[1] > 0)
    if a is None:
        return None
    count, extent = p.shape(a)[:2]
    column = T.constant(np.arange(count) % extent) + 0
    return a[T.arange(a.shape[0]), column]


def write(p: Pool) -> Any:
    a = p.pick(lambda v: is_number(v) and v.type.ndim > 0)
    if a is None:
        return None
    change = p.choose([T.set_subtensor, T.inc_subtensor])
    by_rows = p.draw(st.booleans())
    part = a[_vector_index(p, p.shape(a)[0])] if by_rows else a[_where(p, a)]
    shape = evaluate(part, p.known).shape
    fitting = p.pick(lambda v: v.type.dtype == a.type.dtype and p.shape(v) == shape)
    if by_rows and change is T.set_subtensor:
        fitting = None
    return change(part, T.constant(np.array(2, dtype=a.type.dtype)) if fitting is None else fitting)


def join(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.ndim > 0)
    if a is None:
        return None
    axis = p.draw(st.integers(0, a.type.ndim - 1))

    def rest(v: Any) -> Any:
        return [n for i, n in enumerate(p.shape(v)) if i != axis]

    b = p.pick(lambda v: v.type.ndim == a.type.ndim and rest(v) == rest(a))
    return T.concatenate([a, b], axis=axis)


def split(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.ndim > 0)
    if a is None:
        return None
    axis = p.draw(st.integers(0, a.type.ndim - 1))
    first = p.draw(st.integers(0, p.shape(a)[axis]))
    lengths = T.stack([T.constant(first), size_of(a, axis) - first])
    return T.split(a, lengths, 2, axis=axis)[p.draw(st.integers(0, 1))]


def reshape(p: Pool) -> Any:
    a = p.pick(lambda v: v.type.ndim > 0)
    if a is None:
        return None
    sizes = [size_of(a, i) for i in range(a.type.ndim)]
    if p.draw(st.booleans()):
        return a.flatten()
    total: Any = sizes[0]
    for size in sizes[1:]:
        total = total * size
    return a.reshape(list(p.choose([(1, total), (total, 1), (total,), tuple(reversed(sizes))])))


def make(p: Pool) -> Any:
    a = p.pick()
    kind = p.choose(["alloc", "arange", "eye", "zeros"])
    n = size_of(a, 0) if a.type.ndim else 3
    if kind == "alloc":
        return T.alloc(a, *([2, *(size_of(a, i) for i in range(a.type.ndim))])[-3:])
    if kind == "zeros":
        return T.zeros_like(a)
    return T.arange(n, dtype="int32") if kind == "arange" else T.eye(n, 3)


def dot(p: Pool) -> Any:
    a = p.pick(lambda v: is_float(v) and v.type.ndim in (1, 2))
    if a is None:
        return None
    b = p.pick(lambda v: is_float(v) and v.type.ndim in (1, 2) and p.shape(v)[0] == p.shape(a)[-1])
    return None if b is None else T.dot(T.tanh(a), T.tanh(b))


OPERATIONS: dict[str, Callable[[Pool], Any]] = {
    "unary": unary, "binary": binary, "binary again": binary, "compare": compare, "switch": switch,
    "dimshuffle": dimshuffle, "reduce": reduce, "argmax": argmax, "rows": rows,
    "subtensor": subtensor, "take": take, "pairs": pairs, "write": write, "join": join,
    "split": split, "reshape": reshape, "make": make, "dot": dot,
}  # fmt: skip


def _start(draw: Any, shared: int) -> Pool:
    p = Pool(draw)
    common = [draw(st.sampled_from(EXTENTS)) for _ in range(3)]
    for number in range(draw(st.integers(1, 3)) + shared):
        rank = draw(st.integers(0, 3))
        dtype = draw(st.sampled_from(DTYPES))
        shape = tuple(
            1 if draw(st.integers(0, 5)) == 0 else draw(st.sampled_from(common))
            for _ in range(rank)
        )
        value = _array(dtype, shape, number)
        if number < shared:
            v: Any = theano.shared(value, f"s{number}")
            p.shared.append(v)
        else:
            stretch = [n == 1 and draw(st.booleans()) for n in shape]
            v = TensorType(dtype, stretch)(f"v{number}")
            p.inputs.append(v)
            p.values.append(value)
        p.known[v] = value
    return p


def _grow(p: Pool, steps: int) -> None:
    for _ in range(p.draw(st.integers(1, steps))):
        made = OPERATIONS[p.choose(OPERATIONS)](p)
        if made is not None:
            p.add(made)


def _outputs(p: Pool) -> list[Any]:
    return [p.pick() for _ in range(p.draw(st.integers(1, 4)))]


def random_graph(draw: Any, steps: int = 10) -> tuple[list[Any], list[Any], list[Any]]:
    """(inputs, outputs, values of the inputs); draw is that of ``hypothesis.strategies.data``."""
    p = _start(draw, 0)
    _grow(p, steps)
    return p.inputs, _outputs(p), p.values


def random_function(
    draw: Any, steps: int = 10
) -> tuple[list[Any], list[Any], list[Any], list[tuple[Any, Any]]]:
    """(inputs, outputs, values of the inputs, updates of shared variables)."""
    p = _start(draw, draw(st.integers(1, 3)))
    _grow(p, steps)
    updates = []
    for s in p.shared:
        new = p.pick(lambda v, s=s: v.type.dtype == s.type.dtype and p.shape(v) == p.shape(s))
        if draw(st.booleans()):
            fits = _fits(p, s)
            other = p.pick(
                lambda v, f=fits, n=s.type.ndim: f(v) and is_number(v) and v.type.ndim <= n
            )
            if other is not None and is_number(s):
                mixed = T.cast(s + T.cast(other, s.type.dtype), s.type.dtype)
                new = mixed if p.shape(s) == evaluate(mixed, p.known).shape else new
        if new is not None and s.type.broadcastable == new.type.broadcastable:
            updates.append((s, new))
    return p.inputs, _outputs(p), p.values, updates
