"""Biases and rectifiers behind convolutions: in the routine where nothing else wants the sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T

FORMS = {
    "bias": lambda z: z,
    "relu": T.nnet.relu,
    "maximum": lambda z: T.maximum(z, 0),
    "maximum the other way": lambda z: T.maximum(0, z),
}
#: functions, images, kernels, options
CALLS: list[tuple[Any, tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    (T.nnet.conv2d, (3, 4, 9, 8), (5, 4, 3, 3), {"border_mode": "half"}),
    (T.nnet.conv2d, (2, 17, 30, 31), (33, 17, 3, 3), {"border_mode": "full"}),
    (T.nnet.conv2d, (2, 6, 9, 8), (9, 2, 3, 2), {"num_groups": 3, "subsample": (2, 1)}),
    (T.nnet.conv2d, (40, 2, 5, 4), (3, 2, 2, 2), {"filter_dilation": (2, 1)}),
    (T.nnet.conv2d, (1, 1, 3, 3), (1, 1, 3, 3), {}),
    (T.nnet.conv2d, (2, 3, 6, 7), (4, 3, 1, 1), {"filter_flip": False}),
    (T.nnet.conv2d, (0, 3, 6, 7), (4, 3, 2, 2), {}),
    (T.nnet.conv3d, (2, 3, 4, 5, 6), (4, 3, 2, 3, 2), {"border_mode": 1}),
]  # fmt: skip


def arrays(dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.uniform(-1, 1, shape).astype(dtype) for shape in shapes]


def program(f: Any) -> str:
    return str(theano.explain(f, code=False)["program"])


def along_filters(b: Any, rank: int) -> Any:
    return b.dimshuffle("x", 0, *["x"] * (rank - 2))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", range(len(CALLS)))
def test_one_routine_does_it(number: int, dtype: str, form: str) -> None:
    convolve, image, kernel, options = CALLS[number]
    x, w = (
        T.TensorType(dtype, (False,) * len(image))(),
        T.TensorType(dtype, (False,) * len(image))(),
    )
    b = T.vector(dtype=dtype)
    out = FORMS[form](convolve(x, w, **options) + along_filters(b, len(image)))
    given = arrays(dtype, image, kernel, (kernel[0],))
    f = theano.function([x, w, b], out)
    text = program(f)
    assert "call conv_bias" in text
    assert "launch" not in text
    wanted = theano.function([x, w, b], out, mode="FAST_COMPILE")(*given)
    found = f(*given)
    assert found.dtype == wanted.dtype
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


X, W, B = T.dtensor4("x"), T.dtensor4("w"), T.dvector("b")
SUM = T.nnet.conv2d(X, W)
BIASED = SUM + along_filters(B, 4)


@pytest.mark.parametrize("outputs", {
    "the sums are wanted": [T.nnet.relu(BIASED), SUM],
    "two results": [T.nnet.relu(BIASED), BIASED * 2],
    "a bias for each column": [SUM + B.dimshuffle("x", "x", "x", 0)],
    "a bias for all": [SUM + B[0]],
    "another function": [T.tanh(BIASED)],
    "a slope": [T.nnet.relu(BIASED, 0.25)],
    "another bound": [T.maximum(BIASED, 0.5)],
    "below": [T.minimum(BIASED, 0)],
    "twice": [SUM + SUM * along_filters(B, 4)],
}.values())  # fmt: skip
def test_other_kernels_stay(outputs: list[Any]) -> None:
    f = theano.function([X, W, B], outputs)
    assert "call conv_bias" not in program(f)
    given = arrays("float64", (2, 3, 5, 6), (4, 3, 2, 3), (4,))
    slow = theano.function([X, W, B], outputs, mode="FAST_COMPILE")(*given)
    for found, wanted in zip(f(*given), slow, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_values_that_are_no_numbers_stay() -> None:
    x, w, b = arrays("float64", (2, 3, 5, 6), (4, 3, 2, 3), (4,))
    x[0, 0, 0, 0], x[1, 0, 2, 2], b[3] = np.nan, np.inf, -np.inf
    f = theano.function([X, W, B], T.nnet.relu(BIASED))
    wanted = theano.function([X, W, B], T.maximum(BIASED, 0), mode="FAST_COMPILE")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.isnan(f(x, w, b)), np.isnan(wanted(x, w, b)))
        np.testing.assert_allclose(f(x, w, b), wanted(x, w, b), rtol=1e-10)


def test_a_bias_of_another_length_is_refused() -> None:
    x, w, b = arrays("float64", (2, 3, 5, 6), (4, 3, 2, 3), (5,))
    f = theano.function([X, W, B], T.nnet.relu(BIASED))
    with pytest.raises(ValueError, match="mis-match"):
        f(x, w, b)


def test_strided_arrays_and_shared_biases_that_change() -> None:
    x, w, b = arrays("float64", (4, 6, 10, 12), (4, 3, 2, 3), (8,))
    image, bias = x[::2, ::2, ::-1, ::2], theano.shared(b[::-2].copy())
    f = theano.function(
        [X, W], T.nnet.relu(SUM + along_filters(bias, 4)), updates=[(bias, bias + 1)]
    )
    assert "call conv_bias" in program(f)
    plain = theano.function([X, W, B], T.nnet.relu(BIASED), mode="FAST_COMPILE")
    for step in range(3):
        np.testing.assert_allclose(f(image, w), plain(image, w, b[::-2] + step), rtol=1e-9)


def test_gradients_are_those_of_the_parts() -> None:
    cost = (T.nnet.relu(BIASED) ** 2).sum()
    wrt = T.grad(cost, [X, W, B])
    given = arrays("float64", (2, 3, 5, 6), (4, 3, 2, 3), (4,))
    fast, slow = (theano.function([X, W, B], wrt, mode=m)(*given) for m in (None, "FAST_COMPILE"))
    for found, wanted in zip(fast, slow, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_the_profile_knows_what_the_call_is_for() -> None:
    f = theano.function([X, W, B], T.nnet.relu(BIASED), profile=True)
    f(*arrays("float64", (2, 3, 5, 6), (4, 3, 2, 3), (4,)))
    rows = [row for row in f.profile.apply_time if "Conv" in str(row)]
    assert rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("cells", [(5, 7), (1, 1), (8, 16), (3, 21)])
def test_kernels_of_one_tap(cells: tuple[int, int], groups: int, dtype: str) -> None:
    """With few channels and many: products of matrices, also of images that have gaps."""
    for channels, filters in ((2, 4), (8, 8), (24, 40)):
        x, w, b = (T.TensorType(dtype, (False,) * rank)() for rank in (4, 4, 1))
        z = T.nnet.conv2d(x, w, num_groups=groups)
        outputs = [z, T.nnet.relu(T.nnet.conv2d(x * 2, w, num_groups=groups) + along_filters(b, 4))]
        given = arrays(
            dtype, (3, channels, *cells), (filters, channels // groups, 1, 1), (filters,)
        )
        gradients = T.grad((z**2).sum(), [x, w])
        spread = np.zeros((6, channels, *(2 * n for n in cells)), dtype)[::2, :, ::2, ::2]
        spread[...] = given[0]
        for image in (given[0], spread, np.asfortranarray(given[0])):
            values = [image, *given[1:]]
            fast, slow = (
                theano.function([x, w, b], [*outputs, *gradients], mode=mode)(*values)
                for mode in (None, "FAST_COMPILE")
            )
            tolerance = 1e-4 if dtype == "float32" else 1e-10
            for found, wanted in zip(fast, slow, strict=True):
                np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=10 * tolerance)
