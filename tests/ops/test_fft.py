"""Fourier transforms against NumPy's: values, norms, gradients, second order."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from graphs import both, check_grad, normal
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.batching.face import vectorize
from theano.core.errors import ShapeError
from theano.gradient import verify_grad
from theano.tensor import fft, fourier

NORMS = (None, "backward", "ortho", "forward")


def whole(*shape):
    """Complex numbers."""
    return normal(*shape) + 1j * np.flip(normal(*shape))


def agree(found, expected, rtol=1e-9):
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def pairs(z):
    return np.stack([z.real, z.imag], axis=-1)


# Theano's real transforms -------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 4), (3, 7), (2, 4, 6), (2, 3, 5), (1, 2, 3, 4)])
@pytest.mark.parametrize("norm", [None, "ortho", "no_norm"])
def test_rfft_and_back(shape, norm):
    x = normal(*shape)
    axes, count = tuple(range(1, len(shape))), x[0].size
    scale = 1 / np.sqrt(count) if norm == "ortho" else 1
    spectrum = both(lambda x: fft.rfft(x, norm=norm), x)
    agree(spectrum, pairs(np.fft.rfftn(x, axes=axes)) * scale)
    odd = shape[-1] % 2 == 1
    again = both(lambda s: fft.irfft(s, norm=norm, is_odd=odd), spectrum)
    agree(again, x * (count if norm == "no_norm" else 1))


@pytest.mark.parametrize("shape", [(2, 4), (2, 5), (2, 3, 4), (1, 4, 3)])
@pytest.mark.parametrize("norm", [None, "ortho", "no_norm"])
def test_gradients_of_real_transforms(shape, norm):
    check_grad(lambda x: fft.rfft(x, norm=norm), normal(*shape))
    bins = (*shape[:-1], shape[-1] // 2 + 1, 2)
    odd = shape[-1] % 2 == 1
    check_grad(lambda s: fft.irfft(s, norm=norm, is_odd=odd), normal(*bins))


def test_second_order_and_directions():
    rng, x = np.random.RandomState(0), normal(2, 5)
    verify_grad(lambda x: T.grad((fft.rfft(x) ** 4).sum(), x), [x], rng=rng)
    verify_grad(lambda s: T.grad((fft.irfft(s) ** 4).sum(), s), [normal(2, 3, 2)], rng=rng)
    agree(both(lambda x: T.Rop(fft.rfft(x), x, 2 * x), x), 2 * pairs(np.fft.rfft(x)))
    agree(both(lambda s: T.Rop(fft.irfft(s), s, 2 * s), normal(2, 3, 2)),
          2 * np.fft.irfft(normal(2, 3, 2)[..., 0] + 1j * normal(2, 3, 2)[..., 1]))  # fmt: skip


def test_ops_take_extents():
    x = normal(2, 4, 6)
    for s in ((4, 6), (3, 8), (6, 5)):
        found = both(lambda x, s=s: fft.rfft_op(x, np.array(s)), x)
        agree(found, pairs(np.fft.rfftn(x, s=s, axes=(1, 2))))
        found = both(lambda x, s=s: fft.irfft_op(fft.rfft_op(x), np.array(s)), x)
        spectrum = np.fft.rfftn(x, axes=(1, 2))
        agree(found, np.fft.irfftn(spectrum, s=s, axes=(1, 2)) * s[0] * s[1])
    symbolic = T.lvector("s")
    f = theano.function([v := T.tensor3(), symbolic], fft.rfft_op(v, symbolic))
    agree(f(x, [3, 8]), pairs(np.fft.rfftn(x, s=(3, 8), axes=(1, 2))))


def test_single_precision_and_integers():
    x = normal(2, 6).astype("float32")
    agree(both(fft.rfft, x), pairs(np.fft.rfft(x)).astype("float32"), 1e-5)
    agree(both(lambda x: fft.irfft(fft.rfft(x)), x), x, 1e-5)
    agree(both(fft.fft, x), np.fft.fft(x).astype("complex64"), 1e-5)
    agree(both(fft.rfft, (x * 9).astype("int16")), pairs(np.fft.rfft((x * 9).astype("int16"))))
    assert fft.fft(T.TensorType("float16", (False,))()).type.dtype == "complex64"
    assert fft.irfft_complex(T.cmatrix()).type.dtype == "float32"


def test_static_shapes():
    x = T.TensorType("float64", shape=(None, 6, 5))()
    assert fft.rfft(x).type.shape == (None, 6, 3, 2)
    assert fft.irfft(fft.rfft(x), is_odd=True).type.shape == (None, 6, 5)
    assert fft.fft(x).type.shape == (None, 6, 5)
    assert fft.rfft_complex(x, 9).type.shape == (None, 6, 5)
    assert fft.irfft2(x).type.shape == (None, 6, 8)


def test_bad_arguments():
    with pytest.raises(ValueError, match="Invalid value 'wrong' for norm"):
        fft.rfft(T.matrix(), norm="wrong")
    with pytest.raises(ValueError, match="is_odd"):
        fft.irfft(T.tensor3(), is_odd=3)
    with pytest.raises(TypeError, match="batches"):
        fft.rfft(T.vector())
    with pytest.raises(TypeError, match="batches"):
        fft.irfft(T.matrix())
    with pytest.raises(TypeError, match="real"):
        fft.rfft(T.zmatrix())
    with pytest.raises(ValueError, match="Invalid value 'no_norm'"):
        fft.fft(T.vector(), norm="no_norm")
    with pytest.raises(ValueError, match=r"dimension|axis"):
        fft.fft(T.vector(), axis=1)
    with pytest.raises(ValueError, match="data points"):
        fft.fft(T.vector(), n=0)
    with pytest.raises(ValueError, match="twice"):
        fft.fftn(T.matrix(), axes=(0, 0))
    f = theano.function([x := T.tensor3()], fft.irfft(x))
    with pytest.raises(ValueError, match="two parts"):
        f(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="data points"):
        theano.function([v := T.vector()], fft.fft(v))(np.zeros(0))


# NumPy's family -----------------------------------------------------------------------------------

FUNCTIONS = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
SEVERAL = ("fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn")
OURS = {"rfft": "rfft_complex", "irfft": "irfft_complex"}


def input_for(name, *shape):
    return normal(*shape) if name.startswith(("r", "ih")) else whole(*shape)


@given(st.sampled_from(FUNCTIONS), st.sampled_from([None, 1, 3, 4, 5, 9]), st.integers(-2, 1),
       st.sampled_from(NORMS))  # fmt: skip
@settings(max_examples=40)
def test_one_axis(name, n, axis, norm):
    x = input_for(name, 4, 5)
    found = both(lambda x: getattr(fft, OURS.get(name, name))(x, n, axis, norm), x)
    agree(found, getattr(np.fft, name)(x, n, axis, norm))


@given(st.sampled_from(SEVERAL), st.sampled_from([None, (3, 4), (5, 2)]),
       st.sampled_from([(-2, -1), (0, 1), (2, 0)]), st.sampled_from(NORMS))  # fmt: skip
@settings(max_examples=30)
def test_several_axes(name, s, axes, norm):
    x = input_for(name, 3, 4, 5)
    found = both(lambda x: getattr(fft, name)(x, s, axes, norm), x)
    agree(found, getattr(np.fft, name)(x, s, axes, norm))


def test_all_axes_by_default():
    for name in ("fftn", "ifftn", "rfftn", "irfftn"):
        x = input_for(name, 3, 4)
        agree(both(getattr(fft, name), x), getattr(np.fft, name)(x))


def test_symbolic_lengths():
    x, n = T.dmatrix("x"), T.iscalar("n")
    f = theano.function([x, n], [fft.fft(x, n), fft.irfft_complex(fft.rfft_complex(x, n), n)])
    value = normal(2, 5)
    for count in (3, 5, 8):
        spectrum, back = f(value, count)
        agree(spectrum, np.fft.fft(value, count))
        agree(back, np.fft.irfft(np.fft.rfft(value, count), count))


@pytest.mark.parametrize("name", [*FUNCTIONS, "fft2", "rfft2", "irfft2", "ifftn"])
@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_gradients_go_through_complex_numbers(name, norm):
    """The cost is real; the parts of complex inputs are the variables."""
    shape = (3, 4)

    def cost(re, im):
        x = re if name.startswith(("r", "ih")) else T.complex(re, im)
        out = getattr(fft, OURS.get(name, name))(x, norm=norm)
        return abs(out) ** 3 if out.type.dtype.startswith("complex") else out**3

    rng, parts = np.random.RandomState(1), [normal(*shape), np.flip(normal(*shape))]
    if name.startswith(("r", "ih")):
        verify_grad(lambda re: cost(re, None), parts[:1], rng=rng)
        verify_grad(lambda re: T.grad(cost(re, None).sum(), re), parts[:1], rng=rng)
    else:
        verify_grad(cost, parts, rng=rng)


def test_gradients_of_cut_and_padded():
    for n in (3, 4, 7):
        check_grad(lambda x, n=n: T.real(fft.fft(x, n)) + T.imag(fft.fft(x, n)), normal(2, 4))


def test_frequencies_and_shifts():
    for n in (1, 2, 5, 8):
        np.testing.assert_allclose(fft.fftfreq(n, 0.1).eval(), np.fft.fftfreq(n, 0.1))
        np.testing.assert_allclose(fft.rfftfreq(n, 0.1).eval(), np.fft.rfftfreq(n, 0.1))
    n = T.lscalar("n")
    f = theano.function([n], [fft.fftfreq(n), fft.rfftfreq(n, 2.0)])
    for count in (4, 7):
        found = f(count)
        np.testing.assert_allclose(found[0], np.fft.fftfreq(count))
        np.testing.assert_allclose(found[1], np.fft.rfftfreq(count, 2.0))
    x = normal(4, 5)
    for axes in (None, 0, (1,), (0, 1)):
        shifted = both(lambda x, a=axes: fft.fftshift(x, a), x)
        np.testing.assert_array_equal(shifted, np.fft.fftshift(x, axes))
        np.testing.assert_array_equal(both(lambda x, a=axes: fft.ifftshift(x, a), shifted), x)
    np.testing.assert_array_equal(both(fft.fftshift, whole(3, 2)), np.fft.fftshift(whole(3, 2)))


def test_numpy_calls_ours():
    x, value = T.dmatrix("x"), normal(3, 4)
    for name in ("fft", "rfft", "ifft2", "fftn", "fftshift"):
        out = getattr(np.fft, name)(x)
        np.testing.assert_allclose(out.eval({x: value}), getattr(np.fft, name)(value))


@pytest.mark.parametrize("build", [
    lambda x: fft.rfft(x), lambda x: fft.irfft(fft.rfft(x) ** 2), lambda x: abs(fft.fft(x, axis=0)),
    lambda x: fft.irfftn(fft.rfftn(x) * 2),
])  # fmt: skip
def test_vectorised_over_examples(build):
    x, one, values = T.dtensor3("x"), T.dmatrix("one"), normal(3, 2, 4)
    single, several = theano.function([one], build(one)), vectorize(build)(x)
    found = theano.function([x], several)(values)
    np.testing.assert_allclose(found, [single(v) for v in values], atol=1e-12)


def test_the_old_address():
    value = whole(3, 4)
    agree(both(lambda z: fourier.fft(z, 6, 0), value), np.fft.fft(value, 6, 0))
    agree(both(lambda z: fourier.Fourier()(z, 4, T.constant(1)), value), np.fft.fft(value))
    assert fourier.Fourier() == fourier.fft
    assert importlib.import_module("theano.sandbox.fourier").fft is fourier.fft


def test_what_is_around_a_transform_is_native():
    x = T.dmatrix("x")
    power = T.sqr(fft.rfft(T.tanh(x) * 2)).sum(axis=-1)
    plan = theano.explain(theano.function([x], power), code=False)["memory plan"]
    assert "2 kernels" in plan
    assert plan.count("RFFTOp") == 1
    assert "scipy.fft" in plan


def test_mismatched_length_is_an_error():
    with pytest.raises(ValueError, match="spectrum of size 3"):
        both(lambda x: fft.IRFFTOp((1,), pairs=False).with_length(x, 4), whole(2, 4))
    with pytest.raises((ShapeError, ValueError), match="extents"):
        fft.fftn(T.matrix(), s=(1, 2, 3))
