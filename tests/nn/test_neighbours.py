"""Patches, selected blocks, diagonals of videos: against loops in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor.nnet import blocksparse, conv3d2d
from theano.tensor.nnet.blocksparse import sparse_block_dot
from theano.tensor.nnet.neighbours import Images2Neibs, images2neibs, neibs2images

RNG = np.random.default_rng(3)


def patches(x, shape, step, mode):
    """By cutting patches out of a padded image."""
    a, b = shape
    if mode == "wrap_centered":
        x = np.pad(x, ((0, 0), (0, 0), (a // 2,) * 2, (b // 2,) * 2), mode="wrap")
    elif mode != "valid" and mode != "ignore_borders":
        p = [n // 2 if mode == "half" else n - 1 for n in shape]
        x = np.pad(x, ((0, 0), (0, 0), (p[0],) * 2, (p[1],) * 2))
    rows, columns = (range(0, x.shape[2 + i] - n + 1, step[i]) for i, n in enumerate(shape))
    return np.array([
        x[n, c, i : i + a, j : j + b].ravel()
        for n in range(x.shape[0]) for c in range(x.shape[1]) for i in rows for j in columns
    ])  # fmt: skip


CASES = [
    ((2, 2), None, "valid", (4, 6)),
    ((2, 3), (1, 1), "valid", (4, 5)),
    ((3, 2), (2, 2), "valid", (5, 6)),
    ((2, 2), None, "ignore_borders", (5, 7)),
    ((3, 3), (2, 1), "ignore_borders", (6, 5)),
    ((3, 3), (1, 1), "half", (4, 5)),
    ((2, 3), (2, 2), "half", (4, 5)),
    ((3, 2), (1, 1), "full", (3, 4)),
    ((3, 2), (3, 4), "full", (5, 4)),
    ((3, 3), (1, 1), "wrap_centered", (4, 5)),
    ((3, 5), (2, 2), "wrap_centered", (5, 6)),
]


@pytest.mark.parametrize(("shape", "step", "mode", "image"), CASES)
def test_patches(shape, step, mode, image):
    x = RNG.normal(size=(2, 3, *image))
    v, s, t = T.tensor4("v"), T.lvector("s"), T.lvector("t")
    want = patches(x, shape, step or shape, mode)
    out = images2neibs(v, shape, step, mode)
    np.testing.assert_array_equal(theano.function([v], out)(x), want)
    # symbolic shapes and steps, and the class
    made = Images2Neibs(mode)(v, s, t)
    np.testing.assert_array_equal(theano.function([v, s, t], made)(x, shape, step or shape), want)
    known = T.tensor("float64", shape=x.shape)
    np.testing.assert_array_equal(images2neibs(known, shape, step, mode).eval({known: x}), want)


@pytest.mark.parametrize(("shape", "step", "mode", "image"), CASES[::2])
def test_gradients(shape, step, mode, image):
    x = RNG.normal(size=(1, 2, *image))
    build = lambda v: images2neibs(v, shape, step, mode)  # noqa: E731
    verify_grad(build, [x], rng=np.random.RandomState(1))
    verify_grad(
        lambda v: T.grad((build(v) ** 3).sum(), v), [x], rng=np.random.RandomState(2), eps=1e-6
    )


def test_everything_is_native():
    v = T.tensor4()
    f = theano.function([v], T.grad((images2neibs(v, (3, 3), (1, 1), "half") ** 2).sum(), v))
    assert "python" not in theano.explain(f, code=False)["program"]


def test_dtypes_and_empty():
    v = T.TensorType("int32", (False,) * 4)()
    x = RNG.integers(0, 9, (2, 1, 4, 4)).astype("int32")
    got = images2neibs(v, (2, 2)).eval({v: x})
    assert got.dtype == "int32"
    np.testing.assert_array_equal(got, patches(x, (2, 2), (2, 2), "valid"))
    assert images2neibs(v, (2, 2)).eval({v: x[:0]}).shape == (0, 4)


@pytest.mark.parametrize("mode", ["valid", "ignore_borders"])
def test_there_and_back(mode):
    image = (2, 3, 4, 6) if mode == "valid" else (2, 3, 5, 7)
    x = RNG.normal(size=image)
    v, size = T.tensor4(), T.lvector()
    back = neibs2images(images2neibs(v, (2, 3), mode=mode), (2, 3), size, mode)
    want = x.copy()
    want[:, :, 4:], want[:, :, :, 6:] = 0, 0
    np.testing.assert_array_equal(theano.function([v, size], back)(x, image), want)
    verify_grad(
        lambda n: neibs2images(n, (2, 3), image, mode),
        [RNG.normal(size=(24, 6))], rng=np.random.RandomState(1),
    )  # fmt: skip


def test_patches_that_do_not_fit():
    x = np.ones((1, 1, 5, 4))
    known, v = T.tensor("float64", shape=(1, 1, 5, 4)), T.tensor4()
    for given in (((2, 2), None), ((6, 2), None), ((0, 2), None), ((2, 2), (0, 1))):
        with pytest.raises(ValueError, match="patch"):
            images2neibs(known, *given)
    f = theano.function([v], images2neibs(v, (2, 2)))
    with pytest.raises(AssertionError, match="patch"):
        f(x)
    with pytest.raises(ValueError, match="odd"):
        images2neibs(known, (2, 3), mode="wrap_centered")
    with pytest.raises(NotImplementedError, match="mode"):
        images2neibs(v, (2, 2), mode="some")
    with pytest.raises(NotImplementedError, match="mode"):
        neibs2images(T.matrix(), (2, 2), (1, 1, 2, 2), mode="half")
    with pytest.raises(TypeError, match="4 axes"):
        images2neibs(T.matrix(), (2, 2))


# blocks -----------------------------------------------------------------------------------------


def blocks():
    W = RNG.normal(size=(4, 5, 2, 3))
    h, b = RNG.normal(size=(6, 2, 2)), RNG.normal(size=(5, 3))
    used = np.stack([RNG.permutation(4)[:2] for _ in range(6)])
    given = np.stack([RNG.permutation(5)[:3] for _ in range(6)])
    return W, h, used, b, given


def by_loops(W, h, used, b, given):
    out = b[given].copy()
    for n, i, j in np.ndindex(*used.shape, given.shape[1]):
        out[n, j] += h[n, i] @ W[used[n, i], given[n, j]]
    return out


def test_block_products():
    W, h, used, b, given = blocks()
    inputs = [T.tensor4(), T.tensor3(), T.lmatrix(), T.matrix(), T.lmatrix()]
    f = theano.function(inputs, sparse_block_dot(*inputs))
    np.testing.assert_allclose(f(W, h, used, b, given), by_loops(W, h, used, b, given))
    verify_grad(
        lambda W, h, b: sparse_block_dot(W, h, used, b, given), [W, h, b],
        rng=np.random.RandomState(1),
    )  # fmt: skip
    with pytest.raises(TypeError, match="one axis less"):
        sparse_block_dot(*inputs[:2], T.lvector(), *inputs[3:])
    with pytest.raises(IndexError):
        f(W, h, used + 4, b, given)


def test_block_products_without_a_batch():
    W, h, used, b, given = blocks()
    inputs = [T.tensor4(), T.matrix(), T.lvector(), T.matrix(), T.lvector()]
    out = theano.function(inputs, sparse_block_dot(*inputs))(W, h[0], used[0], b, given[0])
    want = by_loops(W, h[:1], used[:1], b, given[:1])
    np.testing.assert_allclose(out, want)


def test_block_ops():
    W, h, used, b, given = blocks()
    o, y = RNG.normal(size=(6, 3, 3)), RNG.normal(size=(6, 3, 3))
    gemv = blocksparse.SparseBlockGemv()(o, W, h, used, given)
    want = by_loops(W, h, used, np.zeros_like(b), given) + o
    np.testing.assert_allclose(gemv.eval(), want)
    for op in (blocksparse.SparseBlockOuter(), blocksparse.sparse_block_outer_inplace):
        outer = op(W, h, y, used, given, 0.5).eval()
        want = W.copy()
        for n, i, j in np.ndindex(*used.shape, given.shape[1]):
            want[used[n, i], given[n, j]] += 0.5 * np.outer(h[n, i], y[n, j])
        np.testing.assert_allclose(outer, want)


# videos -----------------------------------------------------------------------------------------


def test_diagonals():
    x = RNG.normal(size=(2, 5, 4, 3))
    view = conv3d2d.get_diagonal_subtensor_view(x, 1, 3)
    assert np.shares_memory(view, x)
    assert view.shape == (2, 3, 4, 3)
    want = np.stack([x[:, 2 - k : 5 - k, :, k] for k in range(3)], axis=3)
    np.testing.assert_array_equal(view, want)
    v = T.tensor4()
    np.testing.assert_array_equal(conv3d2d.diagonal_subtensor(v, 1, 3).eval({v: x}), want)
    verify_grad(lambda v: conv3d2d.diagonal_subtensor(v, 1, 3), [x], rng=np.random.RandomState(1))
    more = conv3d2d.IncDiagonalSubtensor()(v, 1, 3, np.ones_like(want)).eval({v: x})
    y = x.copy()
    conv3d2d.get_diagonal_subtensor_view(y, 1, 3)[...] += 1
    np.testing.assert_array_equal(more, y)
    with pytest.raises(NotImplementedError, match="at least as long"):
        conv3d2d.get_diagonal_subtensor_view(x, 3, 1)


@pytest.mark.parametrize("mode", ["valid", "full", "half", ("valid", "full", "half")])
def test_convolution_of_videos(mode):
    x, w = RNG.normal(size=(2, 5, 3, 6, 7)), RNG.normal(size=(4, 3, 3, 3, 3))
    full = np.zeros((2, 7, 4, 8, 9))
    for n, f, c in np.ndindex(2, 4, 3):
        padded = np.pad(x[n, :, c], 1)
        full[n, :, f] += scipy.ndimage.convolve(padded, w[f, :, c], mode="constant")
    modes = (mode,) * 3 if isinstance(mode, str) else mode
    crop = {"valid": slice(2, -2), "half": slice(1, -1), "full": slice(None)}
    t, h, k = (crop[m] for m in modes)
    v = T.tensor5()
    out = conv3d2d.conv3d(v, w, x.shape, w.shape, border_mode=mode)
    np.testing.assert_allclose(out.eval({v: x}), full[:, t, :, h, k], rtol=1e-9, atol=1e-9)
