"""Functions that use every kind of step, with arguments that they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

import theano
import theano.sparse as S
import theano.tensor as T
import theano.typed_list as TL
from theano.graph.nodes import Apply, Op
from theano.ifelse import ifelse
from theano.scan_module.scan_utils import until
from theano.tensor import fft, nlinalg, nnet, slinalg
from theano.tensor.random import MRG_RandomStreams, RandomStream
from theano.tensor.shared_randomstreams import RandomStreams

V = np.arange(1.0, 5.0)
M = np.arange(12.0).reshape(3, 4) / 7
SQUARE = np.eye(3) * 3 + np.arange(9.0).reshape(3, 3) / 9
POSITIVE = SQUARE @ SQUARE.T
I = np.array([0, 2, 1])  # noqa: E741
CUBE = np.arange(24.0).reshape(2, 3, 4) / 10
F = M.astype("float32")


class Doubled(Op):
    """Twice its input, in Python; KeyError for a first element below -4."""

    __props__ = ()

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        if inputs[0].size and inputs[0].flat[0] < -4:
            raise KeyError("the first element is too small")
        output_storage[0][0] = inputs[0] * 2

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        return input_shapes


class Again(Op):
    """Calls the function that it is part of, with an argument that gets smaller."""

    __props__ = ()

    def __init__(self) -> None:
        self.call: Any = None

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [T.dvector()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x = np.array(inputs[0])
        deeper = bool(x.size and 1 <= x[0] < 6)
        output_storage[0][0] = self.call(x - 1) + x if deeper else x


@dataclass
class Target:
    """A function under test and a twin run by the reference, with shared variables of its own."""

    name: str
    f: Any
    twin: Any
    good: tuple[Any, ...]
    shared: list[Any] = field(default_factory=list)
    twins: list[Any] = field(default_factory=list)
    allocates: bool = False
    # What it gives for the good arguments, unless that changes from call to call.
    expected: Any = None
    # What its shared variables held at first.
    start: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start = [s.get_value() for s in self.shared]
        if not self.shared:
            self.expected = self.f(*self.good)


Made = tuple[list[Any], Any, list[tuple[Any, Any]], tuple[Any, ...]]


def _plain(types: str, out: Callable[..., Any], *good: Any) -> Callable[[], Made]:
    """Inputs by letters: v m t (float64), V M (float32), i (int64 vector), n (int64 scalar), …"""
    makers = {
        "v": T.dvector, "m": T.dmatrix, "t": T.dtensor3, "s": T.dscalar, "V": T.fvector,
        "M": T.fmatrix, "i": T.lvector, "n": T.lscalar, "b": lambda n: T.vector(n, dtype="bool"),
        "h": lambda n: T.vector(n, dtype="float16"), "k": T.bvector, "z": T.zvector, "r": T.drow,
        "c": T.dcol, "q": lambda n: S.csr_matrix(n, dtype="float64"), "u": T.wvector,
    }  # fmt: skip

    def make() -> Made:
        inputs = [makers[t](f"{t}{i}") for i, t in enumerate(types)]
        return inputs, out(*inputs), [], good

    return make


def _scan(fn: Any, *args: Any, **kwargs: Any) -> Any:
    return theano.scan(fn, *args, **kwargs)[0]


def _gather_rows(m: Any, i: Any) -> Any:
    return T.grad(T.sqr(m[i]).sum(), m)


def _listed(v: Any) -> Any:
    return TL.getitem(TL.append(TL.make_list([v, v * 2]), v + 1), 2)


PLAIN: dict[str, Callable[[], Made]] = {
    "fused": _plain("vv", lambda x, y: T.tanh(x) * y + 1, V, V),
    "matrix": _plain("mm", lambda x, y: T.exp(-x) + y / 2, M, M),
    "float32": _plain("MM", lambda x, y: T.nnet.sigmoid(x) * y, F, F),
    "float16": _plain("h", lambda x: x * 2 + 1, V.astype("float16")),
    "int8": _plain("k", lambda x: x * 3 // 2, V.astype("int8")),
    "complex": _plain("z", lambda x: T.real(x * T.conj(x)), V + 1j),
    "row and column": _plain("rc", lambda x, y: x + y, M[:1], M[:, :1]),
    "scalar": _plain("ss", lambda x, y: T.sqrt(x * x + y), 2.0, 3.0),
    "sums": _plain("m", lambda x: [x.sum(), x.sum(axis=0), x.sum(axis=1)], M),
    "extremes": _plain("m", lambda x: [x.max(axis=1), x.argmax(axis=0), x.min()], M),
    "softmax": _plain("m", T.nnet.softmax, M),
    "variance": _plain("M", lambda x: x.var(axis=0) + x.mean(), F),
    "dot": _plain("mm", lambda x, y: T.dot(x, y.T), M, M),
    "dot of vectors": _plain("mv", lambda x, y: T.dot(x, y), M, V),
    "batched": _plain("tt", lambda x, y: T.batched_dot(x, y.dimshuffle(0, 2, 1)), CUBE, CUBE),
    "float32 gemm": _plain("MM", lambda x, y: T.dot(x.T, y) * 0.5 + 1, F, F),
    "alloc": _plain("sn", lambda x, n: T.alloc(x, n, 2), 1.5, 3),
    "arange": _plain("nn", lambda a, b: T.arange(a, a + b % 50, 2), 0, 7),
    "slices": _plain("mnn", lambda x, a, b: x[a:b, ::-1] * 2, M, 0, 2),
    "item": _plain("vn", lambda x, i: x[i], V, 2),
    "take": _plain("mi", lambda x, i: x[i] + 1, M, I),
    "pairs": _plain("mii", lambda x, i, j: x[i, j], M, I, I),
    "mask": _plain("vb", lambda x, b: x[b].sum() + x[b], V, V > 2),
    "set": _plain("mv", lambda x, y: T.set_subtensor(x[1:, :2], y[:2]), M, V),
    "add at": _plain("mi", lambda x, i: T.inc_subtensor(x[i], 1.0), M, I),
    "gradient of take": _plain("mi", _gather_rows, M, I),
    "join": _plain("mm", lambda x, y: T.concatenate([x, y, x], axis=1), M, M),
    "split": _plain("v", lambda x: T.split(x, [1, 3], 2), V),
    "reshape": _plain("mn", lambda x, n: x.reshape((n, -1)), M, 6),
    "transposed": _plain("t", lambda x: x.dimshuffle(2, 0, 1).reshape((4, 6)), CUBE),
    "sort": _plain("m", lambda x: [T.sort(x, axis=0), T.argsort(x, axis=1)], M),
    "topk": _plain("vn", lambda x, n: T.topk(x, n), V, 2),
    "unique": _plain("i", lambda x: T.unique(x), I),
    "running": _plain("m", lambda x: T.cumsum(x, axis=1) + T.cumprod(x, axis=0), M),
    "searched": _plain("vv", lambda x, y: T.searchsorted(T.sort(x), y), V, V),
    "counted": _plain("i", lambda x: T.bincount(x % 1000), I),
    "repeated": _plain("vi", lambda x, n: T.repeat(x, n % 9), V, np.array([1, 2, 0, 3])),
    "tiled": _plain("v", lambda x: T.tile(x, 3), V),
    "one hot": _plain("i", lambda i: T.to_one_hot(i, 3), I),
    "cholesky": _plain("m", slinalg.cholesky, POSITIVE),
    "solve": _plain("mm", slinalg.solve, SQUARE, SQUARE),
    "inverse": _plain("m", lambda x: nlinalg.matrix_inverse(x) * nlinalg.det(x), SQUARE),
    "qr": _plain("m", lambda x: nlinalg.qr(x), SQUARE),
    "transform": _plain("m", lambda x: fft.rfft(x), M),
    "labels": _plain("mi", lambda x, i: nnet.categorical_crossentropy(nnet.softmax(x), i), M, I),
    "shape given": _plain("v", lambda x: T.specify_shape(x, (4,)) * 2, V),
    "asserted": _plain("v", lambda x: T.opt.Assert("not negative")(x, T.all(x >= 0)) + 1, V),
    "divided": _plain("ii", lambda x, y: x // y + x % y, I, I + 1),
    "branch": _plain("sv", lambda s, v: ifelse(s > 0, v * 2, T.sin(v)), 1.0, V),
    "loop": _plain("m", lambda x: _scan(lambda r, s: T.tanh(s + r), x, T.zeros((x.shape[1],))), M),
    "loop, counted": _plain(
        "vn", lambda x, n: _scan(lambda s: s * 0.5, None, x, n_steps=n % 9)[-1], V, 3),
    "loop until": _plain(
        "v", lambda x: _scan(lambda a, s: (s + a, until(s > 5)), x, T.zeros(())), V),
    "loop with products": _plain(
        "mm", lambda x, w: _scan(
            lambda r, s, w: T.tanh(T.dot(s, w) + r), x, T.zeros((w.shape[1],)), w),
        SQUARE, SQUARE),
    "loops in loops": _plain(
        "m", lambda x: _scan(lambda r: _scan(lambda a, s: s + a, r, T.zeros(()))[-1], x), M),
    "Python": _plain("v", lambda x: Doubled()(x + 1) * 3, V),
    "Python in a loop": _plain("m", lambda x: _scan(lambda r: Doubled()(r), x), M),
    "list": _plain("v", _listed, V),
    "sparse": _plain("qm", lambda a, x: S.dot(a, x), sp.csr_matrix(M), M.T),
    "sparse sum": _plain("q", lambda a: S.sp_sum(a, axis=0), sp.csr_matrix(M)),
    "unsigned": _plain("u", lambda x: (x & 3) | 4, V.astype("int16")),
    "several": _plain("vm", lambda v, m: [v + 1, T.dot(m, v), m.T, v[::-1], v], V, M),
}  # fmt: skip


def _train() -> Made:
    w, b = theano.shared(np.zeros((4, 2)), "w"), theano.shared(np.zeros(2), "b")
    x, y = T.dmatrix("x"), T.dmatrix("y")
    cost = T.sqr(T.tanh(T.dot(x, w) + b) - y).mean()
    gw, gb = T.grad(cost, [w, b])
    return [x, y], cost, [(w, w - 0.1 * gw), (b, b - 0.1 * gb)], (M, M[:, :2])


def _embedding() -> Made:
    table = theano.shared(np.ones((50, 4)), "table")
    i, v = T.lvector("i"), T.dvector("v")
    return [i, v], table[i].sum(), [(table, T.inc_subtensor(table[i], v))], (I, V)


def _counter() -> Made:
    n, total = theano.shared(0, "n"), theano.shared(np.zeros(4), "total")
    v = T.dvector("v")
    return [v], total * 2, [(n, n + 1), (total, total * 0.5 + v)], (V,)


def _failing_last() -> Made:
    s, t = theano.shared(np.zeros(4), "s"), theano.shared(np.zeros((3, 4)), "t")
    v, i = T.dvector("v"), T.lvector("i")
    return [v, i], Doubled()(v)[i], [(s, s * 0.5 + v), (t, T.set_subtensor(t[i], v))], (V, I)


def _looped() -> Made:
    s = theano.shared(np.zeros(4), "s")
    m = T.dmatrix("m")
    out = _scan(lambda r, a: T.tanh(a + r), m, s)
    return [m], out.sum(), [(s, out[-1])], (M,)


def _swapped() -> Made:
    a, b = theano.shared(np.zeros(4), "a"), theano.shared(np.ones(4), "b")
    v = T.dvector("v")
    return [v], a - b, [(a, b), (b, a * 0.5 + v)], (V,)


UPDATING: dict[str, Callable[[], Made]] = {
    "train": _train, "embedding": _embedding, "counter": _counter, "swapped": _swapped,
    "failing last": _failing_last, "looped update": _looped,
}  # fmt: skip


def _random(stream: Any) -> Made:
    n, v = T.lscalar("n"), T.dvector("v")
    return [n, v], [stream.normal(size=(n % 100,)), stream.uniform(size=(2,)) * v[:2]], [], (3, V)


DRAWING: dict[str, Callable[[], Made]] = {
    "philox": lambda: _random(RandomStream(5)), "RandomState": lambda: _random(RandomStreams(5)),
    "MRG": lambda: _random(MRG_RandomStreams(5)),
}  # fmt: skip
ALLOCATING = ("fused", "matrix", "float16", "int8", "row and column")


def _reentrant(mode: Any) -> Any:
    again, x = Again(), T.dvector("x")
    f = theano.function([x], again(x * 1.0) * 1.0, mode=mode, name="reentrant")
    again.call = f
    return f


def targets(native: Any = None) -> list[Target]:
    """All functions, compiled in the given mode, with twins that the reference runs."""
    native = native or theano.Mode("cvm", "fast_run")
    reference = theano.Mode("py", "fast_compile")
    found = []
    for name, make in {**PLAIN, **UPDATING, **DRAWING}.items():
        pairs = []
        for mode in (native, reference):
            inputs, out, updates, good = make()
            f = theano.function(inputs, out, updates=updates, mode=mode, name=name)
            pairs.append((f, [s for s, _ in updates]))
        (f, shared), (twin, twins) = pairs
        if name in DRAWING:
            shared, twins = list(f.get_shared()), []
        found.append(Target(name, f, twin, good, shared, twins, name in ALLOCATING))
    found.append(Target("reentrant", _reentrant(native), _reentrant(reference), (V,)))
    v, m = T.dvector("v"), T.dmatrix("m")
    args = [theano.In(v, value=V, name="v"), theano.In(m, value=M, name="m", strict=True)]
    defaults = [theano.function(args, T.dot(m, v), mode=mode) for mode in (native, reference)]
    return [*found, Target("defaults", *defaults, (V, M))]
