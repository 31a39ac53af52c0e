"""theano.tensor.io and utils: files in graphs, shapes and hashes."""

from __future__ import annotations

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.tensor.utils import hash_from_ndarray, shape_of_variables

path = theano.generic("path")


@pytest.fixture
def file(tmp_path):
    name = tmp_path / "a.npy"
    np.save(name, np.arange(5, dtype="int32"))
    return name


@pytest.mark.parametrize("mmap_mode", [None, "c"])
def test_load_reads_at_each_call(file, mmap_mode):
    x = T.io.load(path, "int32", (False,), mmap_mode=mmap_mode)
    y = x * 2
    f = theano.function([path], [y, x])
    assert f.native is not None
    for name in (str(file), file):
        twice, values = f(name)
        assert twice.tolist() == [0, 2, 4, 6, 8]
        values[0] = 9
    np.save(file, np.ones(3, dtype="int32"))
    assert f(file)[0].tolist() == [2, 2, 2]


def test_a_path_that_is_known_is_not_folded(file):
    f = theano.function([], T.load(str(file), "int32", (False,)) + 1)
    assert f().tolist() == [1, 2, 3, 4, 5]
    np.save(file, np.zeros(1, dtype="int32"))
    assert f().tolist() == [1]


def test_load_refuses(file, tmp_path):
    with pytest.raises(ValueError, match="mmap_mode"):
        T.io.load(path, "int32", (False,), mmap_mode="r+")
    with pytest.raises(TypeError, match="path"):
        T.io.load(3, "int32", (False,))
    wrong = theano.function([path], T.io.load(path, "float64", (False,)))
    with pytest.raises(TypeError, match="Expected an array of type float64, got int32"):
        wrong(str(file))
    flat = theano.function([path], T.io.load(path, "int32", ()))
    with pytest.raises(TypeError, match="number of dimensions"):
        flat(str(file))
    one = theano.function([path], T.io.load(path, "int32", (True,)))
    with pytest.raises(TypeError, match="broadcastable"):
        one(str(file))
    f = theano.function([path], T.io.load(path, "int32", (False,)))
    with pytest.raises(FileNotFoundError, match="Load"):
        f(str(tmp_path / "missing.npy"))
    with pytest.raises(ValueError, match="npz"):
        f("some.npz")


def test_loaded_arrays_have_gradients_further_down(file):
    w = T.dvector("w")
    cost = (T.io.load(path, "int32", (False,)) * w**2).sum()
    g = theano.function([path, w], theano.grad(cost, w))
    assert g(str(file), np.ones(5)).tolist() == [0, 2, 4, 6, 8]


def test_load_op():
    op = T.io.LoadFromDisk("float32", (False, True))
    assert op == T.io.LoadFromDisk(np.float32, [0, 1])
    assert op != T.io.LoadFromDisk("float32", (False, True), "c")
    assert op(path).type == T.TensorType("float32", (False, True))


@pytest.mark.parametrize(
    "call",
    [
        lambda: T.io.send(T.dvector(), 1, 2),
        lambda: T.io.isend(T.dvector(), 1, 2),
        lambda: T.io.recv((3,), "float64", 0, 1),
        lambda: T.io.irecv((3,), "float64", 0, 1),
        lambda: T.io.MPISend(1, 2),
        lambda: T.io.MPISendWait(1),
        lambda: T.io.MPIRecv(0, 1, (3,), "float64"),
        lambda: T.io.MPIRecvWait(1),
    ],
)
def test_message_passing_says_that_it_is_missing(call):
    with pytest.raises(NotImplementedError, match="MPI is not supported"):
        call()
    assert not T.io.mpi_enabled
    assert [key(None) for key in T.io.mpi_cmps] == [0, 0]


# ---- utils


def test_hashes_of_arrays():
    a = np.arange(6.0)
    different = [
        a, a[:5], a.reshape(2, 3), a.reshape(2, 3).T, a.astype("float32"), a.astype("int64"),
        a + 1, a.reshape(1, 6), np.array(0.0), np.array([0.0]), np.zeros(0),
    ]  # fmt: skip
    hashes = [hash_from_ndarray(b) for b in different]
    assert len(set(hashes)) == len(hashes)
    assert [hash_from_ndarray(b.copy(order="K")) for b in different] == hashes
    with pytest.raises(TypeError, match="object"):
        hash_from_ndarray(np.array([None]))


def graph(inputs, outputs):
    return theano.FunctionGraph(inputs, outputs, clone=False)


def test_shapes_of_all_variables():
    x, y = T.dmatrix("x"), T.dvector("y")
    w = theano.shared(np.zeros((4, 7)))
    product = T.dot(x, w)
    both = T.concatenate([product, product], axis=1)
    part = both[::2]
    outs = [part.sum(axis=0), x.reshape((x.shape[1], x.shape[0])), T.exp(y) + x, T.eye(3)]
    found = shape_of_variables(graph([x, y], outs), {x: (6, 4), y: (4,)})
    assert [found[v] for v in (product, both, part)] == [(6, 7), (6, 14), (3, 14)]
    assert [found[v] for v in outs] == [(14,), (4, 6), (6, 4), (3, 3)]
    values = [np.zeros((6, 4)), np.zeros(4)]
    computed = theano.function([x, y], outs)(*values)
    assert [a.shape for a in computed] == [found[v] for v in outs]


def test_shapes_that_only_values_tell():
    x, n = T.dvector("x"), T.lscalar("n")
    with pytest.raises(ValueError, match="depends on the value of n"):
        shape_of_variables(graph([x, n], [T.alloc(x, n, 3)]), {x: (3,), n: ()})
    with pytest.raises(ValueError, match="only the values tell"):
        shape_of_variables(graph([x], [x.nonzero()[0]]), {x: (3,)})
    with pytest.raises(ValueError, match="missing"):
        shape_of_variables(graph([x], [x + 1]), {})
    with pytest.raises(ValueError, match="cannot have the shape"):
        shape_of_variables(graph([x], [x + 1]), {x: (3, 4)})


def test_import_paths():
    from theano.tensor import io, sharedvar, type_other, utils

    assert sharedvar.TensorSharedVariable is type(theano.shared(np.zeros(2)))
    assert io.load is T.load
    assert type_other.NoneConst is T.NoneConst
    assert utils.shape_of_variables is shape_of_variables
