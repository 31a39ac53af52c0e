"""Bad input of every kind: a clear exception, shared variables untouched, the function still works.

Every case runs as native code and op by op in NumPy, with two shared variables that the function
updates: one before the failing step in the order of the graph, one after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.graph.nodes import Apply, Op

MODES = {
    "native": theano.Mode(linker="cvm", optimizer="fast_run"),
    "program": theano.Mode(linker="numpy", optimizer="fast_run"),
    "reference": theano.Mode(linker="py", optimizer="fast_run"),
}
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


class Fussy(Op):
    """Hands its input on; raises KeyError where it is negative."""

    __props__ = ()

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        if inputs[0].min() < 0:
            raise KeyError("fussy")
        output_storage[0][0] = inputs[0] + 0.0

    def infer_shape(self, node: Any, input_shapes: Any) -> Any:
        return input_shapes


@dataclass(frozen=True)
class Case:
    """A graph, arguments that it takes, and arguments that it must refuse in this way."""

    inputs: Callable[[], list[Any]]
    out: Callable[..., Any]
    good: tuple[Any, ...]
    bad: tuple[Any, ...]
    error: type[Exception]
    match: str
    # Whether the text names the op's node and the line of this file.
    at_run_time: bool = True
    kwargs: dict[str, Any] = field(default_factory=dict)


def vectors(*names: str, dtype: str = "float64") -> Callable[[], list[Any]]:
    return lambda: [T.vector(name, dtype=dtype) for name in names]


def x_and_index() -> list[Any]:
    return [T.dmatrix("x"), T.lvector("i")]


M = np.ones((3, 4))
V = np.arange(1.0, 5.0)
I = np.array([0, 2, 1])  # noqa: E741
CASES = {
    # what the type of an input refuses
    "dtype": Case(vectors("x", dtype="float32"), lambda x: x * 2, (V.astype("f4"),), (V,),
                  TypeError, "x.*float32", at_run_time=False),
    "complex": Case(vectors("x"), lambda x: x * 2, (V,), (V * 1j,), TypeError, "x",
                    at_run_time=False),
    "rank": Case(vectors("x"), lambda x: x * 2, (V,), (M,), TypeError, "x", at_run_time=False),
    "rank 0": Case(vectors("x"), lambda x: x * 2, (V,), (np.float64(1),), TypeError, "x",
                   at_run_time=False),
    "None": Case(vectors("x"), lambda x: x * 2, (V,), (None,), TypeError, "x", at_run_time=False),
    "text": Case(vectors("x"), lambda x: x * 2, (V,), ("1.0",), TypeError, "x", at_run_time=False),
    "texts": Case(vectors("x"), lambda x: x * 2, (V,), (np.array(["1"]),), TypeError, "x",
                  at_run_time=False),
    "objects": Case(vectors("x"), lambda x: x * 2, (V,), (np.array([None, 1], object),),
                    TypeError, "x", at_run_time=False),
    "dates": Case(vectors("x"), lambda x: x * 2, (V,), (np.array(["2020"], "M8[s]"),), TypeError,
                  "x", at_run_time=False),
    "records": Case(vectors("x"), lambda x: x * 2, (V,), (np.zeros(2, "f8,i4"),), TypeError, "x",
                    at_run_time=False),
    "ragged": Case(vectors("x"), lambda x: x * 2, (V,), ([[1], [2, 3]],), TypeError, "x",
                   at_run_time=False),
    "huge int": Case(lambda: [T.lscalar("x")], lambda x: x * 2, (1,), (2**70,), Exception, "x",
                     at_run_time=False),
    "int for int8": Case(lambda: [T.bscalar("x")], lambda x: x * 2, (1,), (300,), TypeError, "x",
                         at_run_time=False),
    "float for int": Case(lambda: [T.lscalar("x")], lambda x: x * 2, (1,), (1.5,), TypeError, "x",
                          at_run_time=False),
    "variable": Case(vectors("x"), lambda x: x * 2, (V,), (T.dvector("y"),), TypeError, "x",
                     at_run_time=False),
    "function": Case(vectors("x"), lambda x: x * 2, (V,), (len,), TypeError, "x",
                     at_run_time=False),
    "not broadcastable": Case(lambda: [T.drow("x")], lambda x: x * 2, (M[:1],), (M,), TypeError,
                              "x", at_run_time=False),
    "missing": Case(vectors("x", "y"), lambda x, y: x + y, (V, V), (V,), TypeError, "y",
                    at_run_time=False),
    "extra": Case(vectors("x"), lambda x: x * 2, (V,), (V, V), TypeError, "at most 1",
                  at_run_time=False),
    "repeated": Case(vectors("x"), lambda x: x * 2, (V,), (V,), TypeError, "x",
                     at_run_time=False, kwargs={"x": V}),
    "unknown": Case(vectors("x"), lambda x: x * 2, (V,), (V,), TypeError, "wrong_name",
                    at_run_time=False, kwargs={"wrong_name": V}),
    # what a step of the program refuses
    "shapes": Case(vectors("x", "y"), lambda x, y: x + y, (V, V), (V, V[:3]), ValueError,
                   r"Input dimension mis-match\. \(input\[0\]\.shape\[0\] = 4, "
                   r"input\[1\]\.shape\[0\] = 3\)"),
    "shapes of size one": Case(vectors("x", "y"), lambda x, y: x * y, (V, V), (V[:1], V),
                               ValueError, r"Input dimension mis-match\. .*= 1.*= 4"),
    "dot": Case(lambda: [T.dmatrix("x"), T.dvector("y")], lambda x, y: T.dot(x, y).sum() + y,
                (M, V), (M, V[:3]), ValueError, "(?i)shape|mis-?match|align"),
    "gemm": Case(lambda: [T.dmatrix("x"), T.dmatrix("y")], lambda x, y: T.dot(x, y), (M, M.T),
                 (M, M), ValueError, "(?i)shape|mis-?match|align"),
    "join": Case(lambda: [T.dmatrix("x"), T.dmatrix("y")],
                 lambda x, y: T.concatenate([x, y], axis=1), (M, M), (M, M[:2]), ValueError,
                 "(?i)join|concat"),
    "reshape": Case(vectors("x"), lambda x: x.reshape((2, 2)), (V,), (V[:3],), ValueError,
                    "reshape"),
    "reshape, open": Case(vectors("x"), lambda x: x.reshape((2, -1)), (V,), (V[:3],), ValueError,
                          "reshape"),
    "item": Case(lambda: [T.dvector("x"), T.lscalar("i")], lambda x, i: x[i], (V, 3), (V, 4),
                 IndexError, "out of bounds"),
    "item from the end": Case(lambda: [T.dvector("x"), T.lscalar("i")], lambda x, i: x[i],
                              (V, -4), (V, -5), IndexError, "out of bounds"),
    "gather": Case(x_and_index, lambda x, i: x[i], (M, I), (M, I + 1), IndexError,
                   "out of bounds"),
    "gather from the end": Case(x_and_index, lambda x, i: x[i] * 2, (M, -I - 1), (M, -I - 2),
                                IndexError, "out of bounds"),
    "gather along columns": Case(x_and_index, lambda x, i: x[:, i], (M, I), (M, I + 2),
                                 IndexError, "out of bounds"),
    "gather of pairs": Case(x_and_index, lambda x, i: x[T.arange(i.shape[0]), i], (M, I),
                            (M, I + 2), IndexError, "out of bounds"),
    "gather with a huge index": Case(x_and_index, lambda x, i: x[i], (M, I), (M, I + 2**62),
                                     IndexError, "out of bounds"),
    "scatter": Case(x_and_index, lambda x, i: T.inc_subtensor(x[i], 1.0), (M, I), (M, I + 1),
                    IndexError, "out of bounds"),
    "scatter, set": Case(x_and_index, lambda x, i: T.set_subtensor(x[i], 1.0), (M, I), (M, -I - 2),
                         IndexError, "out of bounds"),
    "scatter of pairs": Case(x_and_index, lambda x, i: T.inc_subtensor(x[i, i], 1.0), (M, I),
                             (M, I + 1), IndexError, "out of bounds"),
    "one_hot": Case(lambda: [T.lvector("i")], lambda i: T.to_one_hot(i, 3), (I,), (I + 1,),
                    IndexError, "out of bounds"),
    "mask": Case(lambda: [T.dvector("x"), T.vector("m", dtype="bool")], lambda x, m: x[m],
                 (V, V > 2), (V, V[:3] > 2), IndexError, "boolean"),
    "labels": Case(x_and_index, lambda x, i: T.nnet.categorical_crossentropy(T.nnet.softmax(x), i),
                   (M, I), (M, I + 2), ValueError, "(?i)label|y_i|out of|bounds"),
    "labels below": Case(
        x_and_index, lambda x, i: T.nnet.categorical_crossentropy(T.nnet.softmax(x), i).mean(),
        (M, I), (M, I - 1), ValueError, "(?i)label|y_i|out of|bounds"),
    "integer division": Case(vectors("x", "y", dtype="int32"), lambda x, y: x // y,
                             (np.ones(9, "i4"), np.ones(9, "i4")),
                             (np.ones(9, "i4"), np.arange(9, dtype="i4")), ZeroDivisionError,
                             "division"),
    "integer modulo": Case(vectors("x", "y", dtype="int64"), lambda x, y: x % y + y, (I, I + 1),
                           (I, I), ZeroDivisionError, "modulo"),
    "max of nothing": Case(vectors("x"), lambda x: x.max(), (V,), (V[:0],), ValueError,
                           "zero-size|empty"),
    "min of nothing": Case(lambda: [T.dmatrix("x")], lambda x: x.min(axis=1), (M,), (M[:, :0],),
                           ValueError, "zero-size|empty"),
    "argmax of nothing": Case(vectors("x"), lambda x: x.argmax(), (V,), (V[:0],), ValueError,
                              "(?i)empty|zero-size"),
    "alloc": Case(lambda: [T.dvector("x"), T.lscalar("n")], lambda x, n: T.alloc(x.sum(), n, 2),
                  (V, 2), (V, -2), ValueError, "negative"),
    "split": Case(vectors("x"), lambda x: T.split(x, [2, 2], 2)[1], (V,), (V[:3],), ValueError,
                  "(?i)split|sum"),
    "addbroadcast": Case(lambda: [T.dmatrix("x")], lambda x: T.addbroadcast(x, 0) * 2, (M[:1],),
                         (M,), ValueError, "broadcast|dimension"),
    "specify_shape": Case(vectors("x"), lambda x: T.specify_shape(x, (4,)) + 1, (V,), (V[:3],),
                          AssertionError, "(?i)shape|got"),
    "assert": Case(vectors("x"), lambda x: T.opt.Assert("x must not be small")(x, x.min() > 0) * 2,
                   (V,), (-V,), AssertionError, "x must not be small"),
    "arange by 0": Case(lambda: [T.lscalar("n")], lambda n: T.arange(0, 5, n), (1,), (0,),
                        Exception, "(?i)step|zero"),
    "a Python op": Case(vectors("x"), lambda x: Fussy()(x * 2) + 1, (V,), (-V,), KeyError,
                        "fussy"),
}  # fmt: skip


def total(out: Any) -> Any:
    return T.cast(out, "float64").sum()


@each_mode
@pytest.mark.parametrize("name", CASES)
def test_refused_without_a_trace(name, mode):
    case = CASES[name]
    before, after = theano.shared(np.zeros(3), "before"), theano.shared(np.float32(0), "after")
    inputs = case.inputs()
    out = case.out(*inputs)
    updates = [(before, before + 1), (after, T.cast(after + total(out), "float32"))]
    f = theano.function(inputs, out, updates=updates, mode=mode, name="the function")
    first = f(*case.good)
    kept = [before.get_value(), after.get_value()]
    assert kept[0].tolist() == [1] * 3
    for _ in range(2):
        with pytest.raises(case.error, match=case.match) as caught:
            f(*case.bad, **case.kwargs)
        text = str(caught.value)
        if case.at_run_time:
            assert "Apply node" in text
            assert "test_bad_input.py" in text
        else:
            assert "the function" in text
        for variable, old in zip((before, after), kept, strict=True):
            assert variable.get_value().tobytes() == old.tobytes()
    np.testing.assert_array_equal(f(*case.good), first)
    assert before.get_value().tolist() == [2] * 3


@each_mode
def test_in_place_updates_are_undone_too(mode):
    """The variable that is updated in place is big, and the failing step comes last."""
    s = theano.shared(np.zeros((50, 40)), "s")
    x, i = T.dmatrix("x"), T.lvector("i")
    f = theano.function([x, i], s[i].sum(), updates=[(s, s + T.dot(x, x.T)[:, :40])], mode=mode)
    x0 = np.ones((50, 2))
    f(x0, [0])
    held = s.get_value()
    with pytest.raises(IndexError):
        f(x0, [50])
    assert s.get_value().tobytes() == held.tobytes()
    with pytest.raises(ValueError, match="shape"):
        f(np.ones((51, 2)), [0])
    assert s.get_value().tobytes() == held.tobytes()
    f(x0, [0])
    assert s.get_value()[0, 0] == 4


@each_mode
def test_strange_memory_gives_right_results(mode):
    x, s = T.dmatrix("x"), theano.shared(np.ones((2, 3)))
    f = theano.function([x], [x * 2, T.dot(x, x.T), x.sum(axis=0)], updates=[(s, x)], mode=mode)
    base = np.arange(6.0).reshape(2, 3)
    wide = np.zeros((4, 9))
    wide[::2, ::3] = base
    raw = np.zeros(base.nbytes + 1, "uint8")
    unaligned = raw[1:].view("float64").reshape(2, 3)
    unaligned[...] = base
    frozen = base.copy()
    frozen.flags.writeable = False
    values = [
        base[::-1, ::-1][::-1, ::-1], np.asfortranarray(base), wide[::2, ::3], unaligned, frozen,
        base.astype(">f8"), base.astype("float32"), base.astype("int8"), base.tolist(),
        np.ma.array(base), np.broadcast_to(base[:1], (2, 3)), base[:, :0],
        base[:0], np.lib.stride_tricks.as_strided(base, (2, 3), (8, 8)),
    ]  # fmt: skip
    for given in values:
        plain = np.array(given, dtype="float64")
        one, two, three = f(given)
        np.testing.assert_array_equal(one, plain * 2)
        np.testing.assert_allclose(two, plain @ plain.T)
        np.testing.assert_array_equal(three, plain.sum(axis=0))
        np.testing.assert_array_equal(s.get_value(), plain)
        assert type(one) is np.ndarray
        assert one.flags.writeable


EXTREMES = (-(2**63), -(2**62), -3, -1, 1, 2, 2**31, 2**62, 2**63 - 1)


@each_mode
def test_slices_with_extreme_bounds_and_steps(mode):
    x, a, b, c = T.dvector("x"), *T.lscalars("a", "b", "c")
    everything = [x[a:b:c], x[::c], x[:, None][a::c].sum(axis=1), T.set_subtensor(x[:b:c], -1.0)]
    f = theano.function([x, a, b, c], everything, mode=mode)
    data = np.arange(6.0)
    for start in EXTREMES:
        for stop in EXTREMES:
            for step in EXTREMES:
                one, two, three, four = f(data, start, stop, step)
                expected = data.copy()
                expected[:stop:step] = -1
                np.testing.assert_array_equal(one, data[start:stop:step])
                np.testing.assert_array_equal(two, data[::step])
                np.testing.assert_array_equal(three, data[start::step])
                np.testing.assert_array_equal(four, expected)


@each_mode
def test_a_read_only_array_borrowed_by_a_shared_variable_is_not_written_to(mode):
    frozen = np.zeros(4)
    frozen.flags.writeable = False
    s = theano.shared(frozen, borrow=True)
    f = theano.function([], updates=[(s, s + 1)], mode=mode)
    f()
    f()
    assert s.get_value().tolist() == [2] * 4
    assert frozen.tolist() == [0] * 4


@each_mode
def test_a_shared_variable_set_to_another_shape_between_calls(mode):
    s, x = theano.shared(np.ones(3), "s"), T.dvector("x")
    f = theano.function([x], s * x, updates=[(s, s + x)], mode=mode)
    f(np.ones(3))
    s.set_value(np.ones(5))
    with pytest.raises(ValueError, match="mis-match"):
        f(np.ones(3))
    assert s.get_value().tolist() == [1] * 5
    assert f(np.ones(5)).tolist() == [1] * 5
    for bad in (np.ones((2, 2)), "text", None, np.ones(3, complex)):
        with pytest.raises(TypeError):
            s.set_value(bad)
        assert s.get_value().tolist() == [2] * 5


@each_mode
def test_defaults_survive_a_failing_call(mode):
    x, y = T.dvector("x"), T.dvector("y")
    f = theano.function([x, theano.In(y, value=np.ones(2))], x + y, mode=mode)
    assert f([1, 2]).tolist() == [2, 3]
    with pytest.raises(ValueError, match="mis-match"):
        f([1, 2], [1, 2, 3])
    with pytest.raises(TypeError):
        f([1, 2], "text")
    assert f([1, 2]).tolist() == [2, 3]


@each_mode
def test_trusted_input_that_lies_is_refused_or_right(mode):
    x = T.dvector("x")
    f = theano.function([x], x * 2, mode=mode)
    f.trust_input = True
    assert f(V).tolist() == (V * 2).tolist()
    for lie in (M, np.float64(1), V.astype("f4"), "text", None, [1.0], np.array([None])):
        try:
            result = f(lie)
        except Exception:
            continue
        np.testing.assert_array_equal(np.asarray(result, "float64"), np.asarray(lie, "float64") * 2)
    assert f(V).tolist() == (V * 2).tolist()
