"""Slices, None and any objects as values in graphs."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano import generic
from theano.compile.ops import as_op
from theano.tensor import type_other
from theano.tensor.type_other import (
    MakeSlice,
    NoneConst,
    SliceConstant,
    SliceType,
    make_slice,
    none_type_t,
    slicetype,
)

s = slicetype("s")
x, m, n = T.dvector("x"), T.dmatrix("m"), T.lscalar("n")

bound = st.none() | st.integers(-6, 6)
step = st.none() | st.integers(-3, 3).filter(bool)
slices = st.builds(slice, bound, bound, step)

INDEXED = theano.function(
    [m, s], [m[s], m[:, s], m[..., s], m[s, s], T.set_subtensor(m[:, s], 0.0), m[None, s, 0]]
)
GRADIENT = theano.function([m, s], theano.grad((m[:, s] ** 3).sum(), m))
SECOND = theano.function([m, s], theano.grad((theano.grad((m[:, s] ** 3).sum(), m) ** 2).sum(), m))
PARTS = [T.lscalar(), T.iscalar(), T.lscalar()]
BUILT = theano.function([m, *PARTS], m[make_slice(*PARTS)])


@settings(max_examples=80, deadline=None)
@given(slices, st.integers(0, 4), st.integers(0, 5))
def test_a_slice_variable_indexes_as_numpy_does(index, rows, columns):
    a = np.arange(1.0, rows * columns + 1).reshape(rows, columns)
    cleared = a.copy()
    cleared[:, index] = 0
    expected = [a[index], a[:, index], a[..., index], a[index, index], cleared]
    found = INDEXED(a, index) if columns else [*INDEXED_BUT_ONE(a, index)]
    for left, right in zip(found, expected, strict=False):
        assert np.array_equal(left, right)
    marked = np.zeros_like(a)
    marked[:, index] = a[:, index]
    assert np.allclose(GRADIENT(a, index), 3 * marked**2)
    assert np.allclose(SECOND(a, index), 36 * marked**3)


INDEXED_BUT_ONE = theano.function([m, s], [m[s], m[:, s], m[..., s], m[s, s]])


@settings(max_examples=30, deadline=None)
@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-3, 3).filter(bool))
def test_a_slice_of_symbolic_ints_indexes_natively(start, stop, by):
    a = np.arange(12.0).reshape(4, 3)
    assert np.array_equal(BUILT(a, start, stop, by), a[start:stop:by])


def test_a_known_slice_costs_nothing():
    out = [
        x[make_slice(0, n)],
        x[make_slice(slice(None, None, -1))],
        x[slicetype.constant(slice(2))],
    ]
    f = theano.function([x, n], out)
    assert not f.program.callables
    assert [a.tolist() for a in f([1.0, 2.0, 3.0], 1)] == [[1], [3, 2, 1], [1, 2]]


def test_static_shapes_and_infer_shape():
    y = T.TensorType("float64", shape=(6, 3))("y")
    assert y[slicetype.constant(slice(1, 5, 2))].type.shape == (2, 3)
    f = theano.function([m, s], m[s].shape)
    assert f(np.zeros((5, 2)), slice(1, None)).tolist() == [4, 2]


def test_slices_as_results():
    f = theano.function([n], [make_slice(n, None, 2), make_slice(None, n), s_const()])
    assert f(4) == [slice(4, None, 2), slice(None, 4, None), slice(1, 2, None)]
    assert theano.function([s], s)(slice(1)) == slice(1)


def s_const():
    return slicetype.constant(slice(1, np.int64(2)))


def test_slice_types_and_constants():
    assert slicetype == SliceType()
    assert hash(slicetype) == hash(SliceType())
    assert str(slicetype) == "slice"
    constant = s_const()
    assert isinstance(constant, SliceConstant)
    assert str(constant) == "SliceConstant{1, 2, None}"
    assert type(constant.data.stop) is int
    assert constant.equals(s_const())
    assert not constant.equals(slicetype.constant(slice(1)))
    assert slicetype.values_eq(slice(1), slice(None, 1))
    assert slicetype.is_valid_value(slice(1))
    assert not slicetype.is_valid_value(1)
    assert pickle.loads(pickle.dumps(constant)).data == constant.data


@pytest.mark.parametrize("bad", [1, None, "text", slice(0.5), slice("a"), slice(True)])
def test_slice_types_refuse(bad):
    with pytest.raises(TypeError):
        slicetype.filter(bad)


def test_make_slice_refuses():
    assert isinstance(make_slice, MakeSlice)
    for bad in (lambda: make_slice(1.5), lambda: make_slice(x), lambda: make_slice(slice(1), 2)):
        with pytest.raises(TypeError):
            bad()


def test_wrong_indices_are_refused():
    with pytest.raises(IndexError, match="too many"):
        x[s, s]
    with pytest.raises(TypeError):
        x[theano.generic("g")]
    f = theano.function([x, s], x[s])
    with pytest.raises(TypeError, match="Expected a slice"):
        f([1.0], 0)
    with pytest.raises(ValueError, match="step"):
        f([1.0], slice(None, None, 0))


def test_slices_have_no_gradient():
    g = theano.grad(x[make_slice(n, None)].sum(), x)
    assert g.eval({x: [1.0, 2.0, 3.0], n: 1}).tolist() == [0, 1, 1]
    with pytest.raises(theano.gradient.DisconnectedInputError):
        theano.grad(x[s].sum(), s)


def test_none():
    assert NoneConst.data is None
    assert type_other.NoneTypeT() == none_type_t
    assert NoneConst.equals(theano.Constant(none_type_t, None))
    assert x[NoneConst].eval({x: [1.0]}).tolist() == [[1]]
    with pytest.raises(TypeError):
        none_type_t.filter(1)
    f = theano.function([none_type_t("nothing"), x], x + 1, on_unused_input="ignore")
    assert f(None, [1.0]).tolist() == [2]
    with pytest.raises(TypeError, match="Expected None"):
        f(1, [1.0])


@as_op(itypes=[generic, T.dvector], otypes=[T.dvector, generic])
def scaled(settings, values):
    return values * settings["scale"], sorted(settings)


def test_generic_inputs_and_constants():
    g = generic("g")
    f = theano.function([g, x], scaled(g, T.exp(x)))
    assert f.native is not None
    found, names = f({"scale": 2.0, "b": 1}, [0.0])
    assert found.tolist() == [2]
    assert names == ["b", "scale"]
    h = theano.function([x], scaled(theano.generic.constant({"scale": 3.0}), x)[0] + 1)
    assert h([1.0, 2.0]).tolist() == [4, 7]


def test_test_values_of_objects():
    with theano.change_flags(compute_test_value="raise"):
        a, index = T.dvector("a"), slicetype("index")
        a.tag.test_value, index.tag.test_value = np.arange(4.0), slice(1, 3)
        assert a[index].tag.test_value.tolist() == [1, 2]
