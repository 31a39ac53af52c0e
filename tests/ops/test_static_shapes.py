"""Static shapes: declared, inferred through every op, never wrong, and mismatches found early."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ops import cases

import theano
import theano.tensor as T
from theano.core.errors import ShapeError
from theano.graph.tensor_type import TensorType
from theano.tensor import extra_ops, nnet

A, B, C, V, W = (2, 3), (3, 4), (2, 3, 4), (3,), (4,)

# name: (input shapes, expression, the shape that is known when those of all inputs are)
EXPRESSIONS: dict[str, tuple[tuple[tuple[int, ...], ...], Any, tuple[int | None, ...]]] = {
    "add": ((A, A), lambda a, b: a + b, (2, 3)),
    "add vector": ((A, V), lambda a, v: a + v, (2, 3)),
    "switch": ((A, A), lambda a, b: T.switch(a > 0, a, b), (2, 3)),
    "clip": ((A, V), lambda a, v: T.clip(a, 0, v), (2, 3)),
    "fill": ((A, ()), T.fill, (2, 3)),
    "cast": ((A,), lambda a: T.cast(a, "float32"), (2, 3)),
    "sum": ((C,), lambda a: a.sum(axis=1), (2, 4)),
    "sum keepdims": ((C,), lambda a: a.sum(axis=(0, 2), keepdims=True), (1, 3, 1)),
    "mean": ((A,), lambda a: a.mean(axis=0), (3,)),
    "var": ((A,), lambda a: a.var(axis=1), (2,)),
    "prod": ((A,), lambda a: a.prod(axis=-1), (2,)),
    "max": ((A,), lambda a: a.max(axis=0), (3,)),
    "argmax": ((A,), lambda a: a.argmax(axis=1), (2,)),
    "max_and_argmax": ((A,), lambda a: T.max_and_argmax(a, 1)[1], (2,)),
    "any": ((A,), lambda a: (a > 0).any(axis=0), (3,)),
    "ptp": ((A,), lambda a: T.ptp(a, axis=0), (3,)),
    "transpose": ((C,), lambda a: a.T, (4, 3, 2)),
    "dimshuffle": ((A,), lambda a: a.dimshuffle(1, "x", 0), (3, 1, 2)),
    "swapaxes": ((C,), lambda a: a.swapaxes(0, 2), (4, 3, 2)),
    "moveaxis": ((C,), lambda a: T.moveaxis(a, 0, 2), (3, 4, 2)),
    "padleft": ((A,), T.shape_padleft, (1, 2, 3)),
    "reshape": ((A,), lambda a: a.reshape((3, 2)), (3, 2)),
    "reshape -1": ((A,), lambda a: a.reshape((-1, 2)), (3, 2)),
    "reshape by a shape": ((A, B), lambda a, b: a.reshape((b.shape[0], -1)), (3, 2)),
    "flatten": ((C,), lambda a: a.flatten(2), (2, 12)),
    "ravel": ((C,), lambda a: a.ravel(), (24,)),
    "join": ((A, A), lambda a, b: T.join(0, a, b), (4, 3)),
    "join on 1": ((A, A), lambda a, b: T.join(1, a, b), (2, 6)),
    "stack": ((A, A), lambda a, b: T.stack([a, b], axis=1), (2, 2, 3)),
    "hstack": ((A, A), T.horizontal_stack, (2, 6)),
    "split": ((B,), lambda b: T.split(b, [1, 3], 2, axis=1)[1], (3, 3)),
    "row": ((A,), lambda a: a[0], (3,)),
    "slice": ((C,), lambda a: a[:, 1:, ::2], (2, 2, 2)),
    "reversed": ((A,), lambda a: a[::-1], (2, 3)),
    "newaxis": ((A,), lambda a: a[..., None], (2, 3, 1)),
    "set_subtensor": ((A, V), lambda a, v: T.set_subtensor(a[0], v), (2, 3)),
    "take": ((A,), lambda a: a.take([0, 1, 1], axis=1), (2, 3)),
    "index array": ((A,), lambda a: a[T.constant([0, 1, 1, 0, 0])], (5, 3)),
    "dot": ((A, B), T.dot, (2, 4)),
    "dot of a vector": ((A, V), T.dot, (2,)),
    "outer": ((V, W), T.outer, (3, 4)),
    "tensordot": ((C, C), lambda a, b: T.tensordot(a, b, axes=([0], [0])), (3, 4, 3, 4)),
    "softmax": ((A,), nnet.softmax, (2, 3)),
    "logsoftmax": ((A,), nnet.logsoftmax, (2, 3)),
    "relu": ((A,), nnet.relu, (2, 3)),
    "diag": ((V,), T.diag, (3, 3)),
    "diag k": ((V,), lambda v: T.diag(v, 1), (4, 4)),
    "diagonal": ((C,), T.diagonal, (4, 2)),
    "trace": ((A,), T.trace, ()),
    "zeros": ((), lambda: T.zeros((2, 3)), (2, 3)),
    "zeros of a shape": ((A,), lambda a: T.zeros(a.shape), (2, 3)),
    "alloc": ((V,), lambda v: T.alloc(v, 2, 3), (2, 3)),
    "full": ((), lambda: T.full((2, 3), 1.5), (2, 3)),
    "zeros_like": ((A,), T.zeros_like, (2, 3)),
    "eye": ((), lambda: T.eye(3, 4), (3, 4)),
    "eye of a size": ((A,), lambda a: T.eye(a.shape[1]), (3, 3)),
    "tri": ((), lambda: T.tri(3, 4), (3, 4)),
    "tril": ((A,), T.tril, (2, 3)),
    "arange": ((), lambda: T.arange(1, 10, 3), (3,)),
    "arange backwards": ((), lambda: T.arange(5, 0, -2), (3,)),
    "arange of a size": ((A,), lambda a: T.arange(a.shape[1]), (3,)),
    "repeat": ((A,), lambda a: T.repeat(a, 2, axis=0), (4, 3)),
    "repeat by counts": ((V,), lambda v: T.repeat(v, T.constant([1, 2, 3]), axis=0), (6,)),
    "repeat flat": ((A,), lambda a: T.repeat(a, 2), (12,)),
    "tile": ((A,), lambda a: T.tile(a, (2, 2)), (4, 6)),
    "tile to a higher rank": ((V,), lambda v: T.tile(v, (2, 1, 2)), (2, 1, 6)),
    "roll": ((B,), lambda b: T.roll(b, -2, axis=1), (3, 4)),
    "sort": ((A,), T.sort, (2, 3)),
    "argsort": ((A,), T.argsort, (2, 3)),
    "cumsum": ((A,), lambda a: T.cumsum(a, axis=1), (2, 3)),
    "diff": ((B,), T.diff, (3, 3)),
    "specify_shape": ((A,), lambda a: T.specify_shape(a, (2, 3)), (2, 3)),
    "specify_shape of some": ((A,), lambda a: T.specify_shape(a, (None, 3)), (2, 3)),
    "shape": ((C,), lambda a: a.shape, (3,)),
    "one hot": ((), lambda: extra_ops.to_one_hot(T.constant([0, 1, 1]), 4), (3, 4)),
    "cov": ((B,), T.cov, (3, 3)),
    "copy": ((A,), lambda a: a.copy(), (2, 3)),
    "gradient": ((A, V), lambda a, v: theano.grad((a * v).sum(), a), (2, 3)),
    "gradient of a vector": ((A, V), lambda a, v: theano.grad((a * v).sum(), v), (3,)),
    "softmax of a sum": ((A, V), nnet.softmax_with_bias, (2, 3)),
    "cross-entropy": (
        (A,), lambda a: nnet.categorical_crossentropy(nnet.softmax(a), T.constant([0, 2])), (2,)
    ),
}  # fmt: skip


def build(shapes: Any, known: Any) -> tuple[list[Any], list[Any]]:
    """Variables that know the extents that ``known`` says, and values of those shapes."""
    variables, values = [], []
    for position, (shape, keep) in enumerate(zip(shapes, known, strict=True)):
        static = [n if k else None for n, k in zip(shape, keep, strict=True)]
        variables.append(TensorType("float64", shape=static)(f"x{position}"))
        values.append(np.linspace(-1.0, 2.0, int(np.prod(shape))).reshape(shape))
    return variables, values


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_all_is_known_when_all_inputs_are(name: str) -> None:
    """Constants and static extents decide the result's, and the value has it."""
    shapes, expression, expected = EXPRESSIONS[name]
    variables, values = build(shapes, [[True] * len(s) for s in shapes])
    result = expression(*variables)
    assert result.type.shape == expected
    got = cases.evaluate(variables, [result], values)[0]
    assert got.shape == expected


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_is_known_is_right(data: Any) -> None:
    """Whatever the inputs know, the result's run-time shape is what its type says."""
    name = data.draw(st.sampled_from(sorted(EXPRESSIONS)))
    shapes, expression, _ = EXPRESSIONS[name]
    known = [data.draw(st.lists(st.booleans(), min_size=len(s), max_size=len(s))) for s in shapes]
    variables, values = build(shapes, known)
    result = expression(*variables)
    got = cases.evaluate(variables, [result], values)[0].shape
    static = result.type.shape
    assert len(static) == len(got)
    assert all(s is None or s == n for s, n in zip(static, got, strict=True))


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_elementwise_cases(data: Any) -> None:
    """Every row of the library, on inputs that know some of their extents, or stretch."""
    case = data.draw(st.sampled_from(CASES))
    full = data.draw(st.lists(st.integers(1, 3), max_size=3))
    variables, values = [], []
    for position, dtype in enumerate(case.dtypes):
        one = data.draw(st.lists(st.booleans(), min_size=len(full), max_size=len(full)))
        shape = [1 if o else n for o, n in zip(one, full, strict=True)]
        keep = data.draw(st.lists(st.booleans(), min_size=len(full), max_size=len(full)))
        static = [n if k or o else None for n, k, o in zip(shape, keep, one, strict=True)]
        variables.append(TensorType(dtype, shape=static)(f"x{position}"))
        values.append(np.ones(shape, dtype=dtype))
    result = theano.tensor.Elemwise(case.row)(*variables)
    got = cases.evaluate(variables, [result], values)[0].shape
    assert all(s is None or s == n for s, n in zip(result.type.shape, got, strict=True))
    stretches = [all(v.type.broadcastable[i] for v in variables) for i in range(len(full))]
    assert result.type.broadcastable == tuple(stretches)


CASES = cases.cases()


def test_compiled_functions_agree() -> None:
    """The same through the CPU backend, which relies on what types say."""
    for name in ("reshape by a shape", "arange of a size", "specify_shape of some", "tile"):
        shapes, expression, expected = EXPRESSIONS[name]
        variables, values = build(shapes, [[True] * len(s) for s in shapes])
        f = theano.function(variables, expression(*variables), on_unused_input="ignore")
        assert f(*values).shape == expected


# ---- declaring


def test_ways_to_declare() -> None:
    """TensorType, tensor, matrix and the types with a prefix."""
    for made in (
        TensorType("float32", shape=(None, 3))("x"),
        T.tensor("float32", shape=(None, 3), name="x"),
        T.matrix("x", dtype="float32", shape=(None, 3)),
        T.fmatrix("x", shape=(None, 3)),
    ):
        assert made.type.shape == (None, 3)
        assert made.type == T.fmatrix
        assert made.name == "x"
    assert T.matrix(shape=(1, 3)).broadcastable == (True, False)
    assert T.row(shape=(None, 3)).type.shape == (1, 3)
    assert TensorType("float64", (False, True)).shape == (None, 1)
    assert TensorType("float64", (0, 1)) == T.dcol
    assert TensorType("float64", (None, 3)).shape == (None, 3)
    with pytest.raises(TypeError, match="dimensions"):
        T.matrix(shape=(3,))
    with pytest.raises(TypeError, match="sizes"):
        T.row(shape=(2, 3))
    with pytest.raises(ValueError, match="negative"):
        TensorType("float64", shape=(-1,))
    with pytest.raises(TypeError, match="integer"):
        TensorType("float64", shape=(1.5,))
    assert TensorType("float64", shape=(np.int64(3), True)).shape == (3, 1)


def test_declared_sizes_are_checked_at_the_call() -> None:
    """A value of another shape is refused, with both."""
    x = T.matrix("x", shape=(None, 3))
    f = theano.function([x], x.sum())
    assert f(np.ones((5, 3), theano.config.floatX)) == 15
    with pytest.raises(TypeError, match=r"must be 3, got shape \(5, 4\)"):
        f(np.ones((5, 4), theano.config.floatX))


def test_a_size_of_one_stretches_only_where_declared() -> None:
    """Trap 9: what happens to have one row at run time does not broadcast."""
    shared = theano.shared(np.ones((1, 3)))
    x, y = T.dmatrices("x", "y")
    assert shared.type.shape == (None, None)
    for maybe_one in (
        shared, x[:1], T.specify_shape(x, (1, 3)), T.join(0, x[:0], x[:1]),
        x.reshape((-1, 3)), T.repeat(x, 1, axis=0),
    ):  # fmt: skip
        assert maybe_one.broadcastable == (False, False)
        f = theano.function([x, y], maybe_one + y, on_unused_input="ignore")
        assert f(np.ones((1, 3)), np.ones((1, 3))).shape == (1, 3)
        with pytest.raises(ValueError, match="dimension mis-match"):
            f(np.ones((1, 3)), np.ones((2, 3)))
    assert T.constant(np.ones((1, 3))).broadcastable == (True, False)


def test_specify_shape() -> None:
    """None says nothing; contradictions are found while building, the rest at the call."""
    x = T.dmatrix("x")
    y = T.specify_shape(x, (None, 3))
    assert y.type.shape == (None, 3)
    f = theano.function([x], [y * 2, theano.grad(y.sum(), x)])
    assert [a.shape for a in f(np.ones((4, 3)))] == [(4, 3), (4, 3)]
    with pytest.raises(AssertionError, match="got shape"):
        f(np.ones((4, 2)))
    with pytest.raises(ShapeError, match="has size 3, and is specified to have 4"):
        T.specify_shape(y, (None, 4))
    with pytest.raises(ValueError, match="1 extents"):
        T.specify_shape(x, (None,))


# ---- mismatches


def _typed(*shape: int | None) -> Any:
    return T.tensor("float64", shape=shape, name="xyz"[len(shape) % 3])


MISMATCHES = {
    "elementwise": (lambda: _typed(2, 3) + _typed(2, 4), "Input dimension mis-match"),
    "with a vector": (lambda: _typed(2, 3) * _typed(4), "Input dimension mis-match"),
    "switch": (lambda: T.switch(_typed(2, 3), _typed(2, 4), 0), "Input dimension mis-match"),
    "join": (lambda: T.join(0, _typed(2, 3), _typed(2, 4)), "differ in dimension 1"),
    "stack": (lambda: T.stack([_typed(2, 3), _typed(2, 4)]), "differ in dimension 2"),
    "split": (lambda: T.split(_typed(3), [1, 3], 2), "splits sum to 4, expected 3"),
    "reshape": (lambda: _typed(2, 3).reshape((4, 2)), r"Cannot reshape input of shape \(2, 3\)"),
    "reshape -1": (lambda: _typed(2, 3).reshape((-1, 4)), "Cannot reshape input"),
    "alloc": (lambda: T.alloc(_typed(3), 2, 4), "does not broadcast"),
    "labels": (
        lambda: nnet.categorical_crossentropy(_typed(2, 3), T.constant([1, 2, 0])),
        "one label per row",
    ),
    "repeat": (lambda: T.repeat(_typed(3), T.constant([1, 2]), axis=0), "repeat: dimension 0"),
}


@pytest.mark.parametrize("name", MISMATCHES)
def test_mismatches_are_found_while_building(name: str) -> None:
    """A ValueError with the shapes, and the line where each operand was written."""
    build_it, text = MISMATCHES[name]
    with pytest.raises(ShapeError, match=text) as caught:
        build_it()
    assert isinstance(caught.value, ValueError)
    message = str(caught.value)
    assert "of shape (" in message
    assert "written at" in message
    assert "test_static_shapes.py" in message


@pytest.mark.parametrize(
    "build_it",
    [
        lambda: T.dot(_typed(2, 3), _typed(2, 3)),
        lambda: T.set_subtensor(_typed(2, 3)[0], _typed(4)),
        lambda: T.inc_subtensor(_typed(2, 3)[:, 1:], _typed(2, 3)),
        lambda: T.batched_dot(_typed(2, 3, 4), _typed(3, 4, 5)),
    ],
)
def test_other_mismatches_are_value_errors(build_it: Any) -> None:
    """Products and assignments to parts."""
    with pytest.raises(ValueError, match=r"\("):
        build_it()
