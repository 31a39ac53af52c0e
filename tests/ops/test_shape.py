"""DimShuffle, Reshape, extents, checks of extents, and the functions made of them."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, normal, reference
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.core.errors import NotScalarConstantError
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Variable
from theano.ops import shape as ops
from theano.ops import sizes
from theano.ops.constants import vector_entries


@st.composite
def shuffles(draw):
    shape = draw(st.lists(st.integers(0, 4), min_size=0, max_size=4))
    order = draw(st.permutations(range(len(shape))))
    for _ in range(draw(st.integers(0, 2))):
        order.insert(draw(st.integers(0, len(order))), "x")
    return shape, order


@given(shuffles())
@settings(max_examples=50)
def test_dimshuffle_is_transpose_and_new_axes(case):
    shape, order = case
    x = np.arange(np.prod(shape, dtype=int), dtype="float64").reshape(shape)
    found = reference(lambda v: v.dimshuffle(*order), x)
    expected = x.transpose([d for d in order if d != "x"])
    for place, d in enumerate(order):
        if d == "x":
            expected = np.expand_dims(expected, place)
    np.testing.assert_array_equal(found, expected)


def test_dimshuffle_prints_and_drops():
    x = T.TensorType("float64", (False, True))("x")
    out = x.dimshuffle(0)
    assert str(out.owner.op) == "DimShuffle{0}"
    assert str(x.dimshuffle("x", 0, 1).owner.op) == "DimShuffle{x,0,1}"
    assert out.broadcastable == (False,)
    assert both(lambda v: v.dimshuffle(0), normal(3, 1), patterns=[(False, True)]).shape == (3,)
    check_grad(lambda v: v.dimshuffle(0, "x"), normal(3, 1), patterns=[(False, True)])


@pytest.mark.parametrize(
    ("order", "word"),
    [((0,), "cannot drop"), ((0, 0, 1), "twice"), ((0, 1, 2), "only has 2"), ((0, "y"), "'y'")],
)
def test_dimshuffle_refuses_at_build_time(order, word):
    with pytest.raises(ValueError, match=word):
        T.matrix().dimshuffle(*order)


@given(st.data())
@settings(max_examples=50)
def test_reshape_with_and_without_minus_one(data):
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    x = np.arange(np.prod(shape, dtype=int), dtype="float64").reshape(shape)
    order = data.draw(st.permutations(shape))
    target = list(order)
    if 0 not in target and data.draw(st.booleans()):
        target[data.draw(st.integers(0, len(target) - 1))] = -1
    expected = x.reshape(target)
    np.testing.assert_array_equal(reference(lambda v: v.reshape(target), x), expected)
    symbolic = reference(
        lambda v, s: v.reshape([s[i] for i in range(len(target))]), x, np.array(target)
    )
    np.testing.assert_array_equal(symbolic, expected)
    vector = reference(lambda v, s: v.reshape(s, ndim=len(target)), x, np.array(target))
    np.testing.assert_array_equal(vector, expected)


def test_reshape_static_knowledge_and_gradient():
    x = T.dvector("x")
    assert x.reshape((1, -1)).broadcastable == (True, False)
    assert x.reshape((2, 3)).type.shape == (2, 3)
    assert T.zeros((4, 6)).reshape((3, -1)).type.shape == (3, 8)
    assert x.reshape(T.lmatrix().shape).ndim == 2
    check_grad(lambda v: v.reshape((2, -1)), normal(6))
    both(lambda v: v.reshape((2, -1)) * 2, normal(6))


def test_reshape_errors():
    x = T.dvector("x")
    with pytest.raises(TypeError, match="integers"):
        x.reshape([2.0, 3.0])
    with pytest.raises(TypeError, match="integers"):
        x.reshape(T.dvector(), ndim=2)
    with pytest.raises(ValueError, match="ndim"):
        x.reshape(T.lvector())
    with pytest.raises(ValueError, match="only one"):
        x.reshape((-1, -1))
    with pytest.raises(ValueError, match=r"\(5,\).*\(2, 3\)"):
        reference(lambda v: v.reshape((2, 3)), normal(5))
    f = theano.function([x], x.reshape((2, 3)))
    with pytest.raises(ValueError, match=r"\(5,\)"):
        f(normal(5))


def test_shape_is_a_vector_of_extents():
    x = T.tensor3("x")
    assert len(tuple(x.shape)) == 3
    both(lambda v: v.shape, normal(2, 3, 4))
    both(lambda v: v.shape[1:], normal(2, 3, 4))
    both(lambda v: v.shape[-1] * 2, normal(2, 3, 4))
    assert both(lambda v: v.shape, normal(4)).tolist() == [4]
    assert both(lambda v: v.shape, np.float64(3)).tolist() == []
    with pytest.raises(TypeError, match="too few dimensions"):
        ops.Shape_i(3)(x)
    assert str(ops.Shape_i(1)(x).owner.op) == "Shape_i{1}"


def test_make_vector():
    a, b = T.lscalar(), T.lscalar()
    assert ops.make_vector(a, b).dtype == "int64"
    assert both(lambda a, b: ops.make_vector(a, b, a), np.int64(1), np.int64(2)).tolist() == [
        1,
        2,
        1,
    ]
    check_grad(lambda a, b: ops.make_vector(a, b) * a, np.float64(2.0), np.float64(3.0))
    with pytest.raises(TypeError, match="cannot hold"):
        ops.MakeVector("int8")(a)
    assert ops.make_vector(a).broadcastable == (True,)


def test_constants_are_found():
    x = T.matrix("x")
    value = T.get_scalar_constant_value
    assert value(T.constant(3)) == 3
    assert value(T.constant(2).dimshuffle("x") * 3) == 6
    assert value(T.alloc(5, 2, x.shape[0])) == 5
    assert value(T.fill(x, 4)) == 4
    assert value(T.zeros((2, 3)).shape[1]) == 3
    assert value(T.stack([T.constant(1), x.shape[0]])[0]) == 1
    assert value(T.constant([3, 4])[1]) == 4
    assert value(T.cast(T.constant(2), "float32")) == 2.0
    assert value(T.switch(T.constant(1), 7, x.shape[0])) == 7
    for v in (x, x.shape[0], x.sum(), None, T.constant([1, 2])):
        with pytest.raises(NotScalarConstantError):
            value(v)
    with pytest.raises(NotScalarConstantError):
        value(T.constant(1) + 1, elemwise=False)


def test_vector_lengths():
    x = T.tensor4("x")
    assert T.get_vector_length(x.shape) == 4
    assert T.get_vector_length(x.shape[1:3]) == 2
    assert T.get_vector_length(x.shape[::-1]) == 4
    assert T.get_vector_length(T.concatenate([x.shape, [1, 2]])) == 6
    assert T.get_vector_length(T.stack([x.shape[0], T.lscalar()])) == 2
    assert T.get_vector_length([1, 2]) == 2
    entries = vector_entries(T.concatenate([x.shape[2:], T.constant([5])]))
    assert [type(e.owner.op).__name__ if isinstance(e, Variable) else e for e in entries] == [
        "Shape_i",
        "Shape_i",
        5,
    ]
    with pytest.raises(ValueError, match="not known"):
        T.get_vector_length(T.lvector())
    with pytest.raises(TypeError, match="vector"):
        T.get_vector_length(x)


def test_rebroadcast():
    x = T.matrix("x")
    assert T.addbroadcast(x, 0).broadcastable == (True, False)
    assert T.unbroadcast(T.row(), 0).broadcastable == (False, False)
    assert T.patternbroadcast(x, (False, True)).broadcastable == (False, True)
    assert T.addbroadcast(T.row(), 0).owner is None
    with pytest.raises(ValueError, match="non-existent"):
        T.addbroadcast(x, 2)
    with pytest.raises(ValueError, match="supposed to be 1"):
        reference(lambda v: T.addbroadcast(v, 0), normal(2, 3))
    f = theano.function([x], T.addbroadcast(x, 0))
    assert f(np.ones((1, 3))).shape == (1, 3)
    with pytest.raises(ValueError, match="supposed to be 1"):
        f(np.ones((2, 3)))
    check_grad(lambda v: T.addbroadcast(v, 0), normal(1, 3))


def test_specify_shape():
    x = T.matrix("x")
    out = T.specify_shape(x, (1, 4))
    assert out.type == x.type
    assert out.type.shape == (None, 4)
    both(lambda v: T.specify_shape(v, (2, 3)) * 2, normal(2, 3))
    with pytest.raises(AssertionError, match=r"\(2, 3\).*\(1, 4\)"):
        reference(lambda v: T.specify_shape(v, (1, 4)), normal(2, 3))
    with pytest.raises(AssertionError, match="expected"):
        theano.function([x], out * 2)(normal(2, 3))
    with pytest.raises(ValueError, match="extents"):
        T.specify_shape(x, (2,))
    check_grad(lambda v: T.specify_shape(v, (2, 3)), normal(2, 3))


def test_flatten():
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(both(lambda v: v.flatten(), x), x.ravel())
    np.testing.assert_array_equal(both(lambda v: v.flatten(2), x), x.reshape(2, 12))
    np.testing.assert_array_equal(both(lambda v: T.flatten(v), np.float64(3.0)), [3.0])
    assert T.TensorType("float64", (True, True))().flatten().broadcastable == (True,)
    assert T.TensorType("float64", (True, False))().flatten(2).broadcastable == (True, False)
    with pytest.raises(ValueError, match="out of bound"):
        T.matrix().flatten(3)
    with pytest.warns(UserWarning, match="deprecated"):
        assert T.flatten(T.tensor3(), outdim=2).ndim == 2


def test_transpose_swapaxes_squeeze_pads():
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(both(lambda v: v.T, x), x.T)
    np.testing.assert_array_equal(both(lambda v: v.transpose(1, -1, 0), x), x.transpose(1, 2, 0))
    np.testing.assert_array_equal(both(lambda v: v.swapaxes(0, -1), x), x.swapaxes(0, 2))
    np.testing.assert_array_equal(both(lambda v: ops.moveaxis(v, 0, 2), x), np.moveaxis(x, 0, 2))
    with pytest.raises(ValueError, match="out of bounds"):
        T.matrix().swapaxes(0, 2)
    assert T.matrix().squeeze().ndim == 2
    assert T.col().squeeze().ndim == 1
    assert T.shape_padleft(T.vector(), 2).broadcastable == (True, True, False)
    assert T.shape_padright(T.vector()).broadcastable == (False, True)
    assert T.shape_padaxis(T.matrix(), -2).broadcastable == (False, True, False)
    with pytest.raises(IndexError):
        T.shape_padaxis(T.matrix(), 3)


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=1, max_size=3),
)
@settings(max_examples=30)
def test_tile(shape, reps):
    x = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    np.testing.assert_array_equal(reference(lambda v: T.tile(v, reps), x), np.tile(x, reps))
    symbolic = reference(lambda v, n: T.tile(v, [n, *reps[1:]]), x, np.int64(reps[0]))
    np.testing.assert_array_equal(symbolic, np.tile(x, reps))


def test_tile_of_a_vector_of_reps():
    x = normal(2, 3)
    reps = np.array([2, 1, 2])
    np.testing.assert_array_equal(
        both(lambda v, r: T.tile(v, r, ndim=3), x, reps), np.tile(x, reps)
    )
    with pytest.raises(ValueError, match="ndim"):
        T.tile(T.matrix(), T.lvector())
    check_grad(lambda v: T.tile(v, (2, 2)), x)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_repeat(axis):
    x = normal(2, 3)
    np.testing.assert_array_equal(both(lambda v: T.repeat(v, 2, axis), x), np.repeat(x, 2, axis))
    counts = np.arange(6 if axis is None else x.shape[axis])
    np.testing.assert_array_equal(
        both(lambda v, c: T.repeat(v, c, axis), x, counts), np.repeat(x, counts, axis)
    )
    check_grad(lambda v: T.repeat(v, 3, axis), x)
    check_grad(lambda v, c: T.repeat(v, c, axis), x, counts)


def test_repeat_refuses():
    with pytest.raises(TypeError, match="uint64"):
        T.repeat(T.vector(), T.scalar(dtype="uint64"))
    with pytest.raises(ValueError, match="exceed 1"):
        T.repeat(T.vector(), T.lmatrix())


@given(st.integers(-9, 9), st.sampled_from([None, 0, 1]))
@settings(max_examples=20)
def test_roll(shift, axis):
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(
        reference(lambda v: T.roll(v, shift, axis), x), np.roll(x, shift, axis)
    )
    np.testing.assert_array_equal(
        reference(lambda v, s: T.roll(v, s, axis), x, np.int64(shift)), np.roll(x, shift, axis)
    )


@given(
    st.tuples(*[st.none() | st.integers(-7, 7)] * 2, st.none() | st.integers(-3, 3)),
    st.integers(0, 6),
    st.booleans(),
)
@settings(max_examples=200)
def test_slice_length(bounds, extent, symbolic):
    if bounds[2] == 0:
        bounds = (*bounds[:2], 1)
    expected = len(range(extent)[slice(*bounds)])
    entries = [*bounds, extent]
    if not symbolic:
        variable = T.lscalar()
        length = sizes.slice_length(*bounds, variable)
        call = reference_function([variable], [sizes.variable(length)])
        assert int(call(extent)[0]) == expected
        return
    given_ = [i for i, entry in enumerate(entries) if entry is not None]
    variables = [T.lscalar() for _ in given_]
    for i, variable in zip(given_, variables, strict=True):
        entries[i] = variable
    values = [(*bounds, extent)[i] for i in given_]
    call = reference_function(variables, [sizes.variable(sizes.slice_length(*entries))])
    assert int(call(*values)[0]) == expected
