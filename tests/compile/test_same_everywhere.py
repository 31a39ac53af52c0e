"""One expression, all ways of running it: the same values."""

from __future__ import annotations

import numpy as np
import pytest

import theano
import theano.tensor as T

EXPRESSIONS = {
    "fused": lambda x, y, v, s, i: T.nnet.sigmoid(x) * T.tanh(y) + T.exp(-(x**2)),
    "stable": lambda x, y, v, s, i: T.log(1 + T.exp(x)) + T.log1p(T.exp(y)),
    "row sums": lambda x, y, v, s, i: (x * y).sum(axis=1),
    "column sums": lambda x, y, v, s, i: T.exp(x).sum(axis=0) + v,
    "all reductions": lambda x, y, v, s, i: x.sum() + y.max() - x.min() + y.mean() + x.var(),
    "arg": lambda x, y, v, s, i: T.argmax(x, axis=1) + i,
    "softmax": lambda x, y, v, s, i: T.nnet.softmax(x + v),
    "log softmax": lambda x, y, v, s, i: T.log(T.nnet.softmax(x)),
    "broadcast": lambda x, y, v, s, i: x + v.dimshuffle("x", 0) * s,
    "transposed": lambda x, y, v, s, i: (x.T * 2).T + y.dimshuffle(1, 0).T,
    "slices": lambda x, y, v, s, i: x[1:, ::-1] - y[:-1] + v[i],
    "reshape": lambda x, y, v, s, i: x.T.reshape((2, x.size // 2)) * 2,
    "flatten": lambda x, y, v, s, i: T.concatenate([x.flatten(), v, y.T.flatten()]),
    "dot": lambda x, y, v, s, i: T.dot(x, y.T) + T.dot(x.T, y).sum(),
    "matrix vector": lambda x, y, v, s, i: T.dot(x, v) * s,
    "switch": lambda x, y, v, s, i: T.switch(T.lt(x, y), x, T.clip(y, -0.5, 0.5)),
    "set subtensor": lambda x, y, v, s, i: T.set_subtensor(x[i], v) + 1,
    "inc subtensor": lambda x, y, v, s, i: T.inc_subtensor(x[:, 1], s),
    "take rows": lambda x, y, v, s, i: x[T.stack([i, i, i - 1])] * 2,
    "shapes": lambda x, y, v, s, i: x.shape[0] * x.size + v.shape[0],
    "creation": lambda x, y, v, s, i: T.arange(i) + T.zeros((2, 1)) + T.eye(2, i),
    "gradient": lambda x, y, v, s, i: T.grad((T.tanh(T.dot(x, y.T)) ** 2).sum() * s, x),
    "cross entropy": lambda x, y, v, s, i: (
        -T.log(T.nnet.softmax(x))[T.arange(x.shape[0]), T.zeros_like(x[:, 0], dtype="int64")].mean()
    ),
    "mixed dtypes": lambda x, y, v, s, i: T.cast(x * 10, "int8") + T.cast(y, "float32"),
    "integers": lambda x, y, v, s, i: (i * 7 - 20) // 3 + (i * 7 - 20) % 3 + i / 2,
    "several": lambda x, y, v, s, i: [x + 1, x.sum(), x * y, v * s, i + 1],
}

SHAPES = {"usual": (3, 4), "one row": (1, 2), "large": (40, 36)}


def values(rows: int, columns: int) -> list[object]:
    rng = np.random.default_rng(rows * 100 + columns)
    x, y = rng.normal(size=(2, rows, columns))
    return [x, np.asfortranarray(y), rng.normal(size=columns), 1.5, rows - 1]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", EXPRESSIONS)
@pytest.mark.parametrize("linker", ["numpy", "cvm"])
def test_all_runners_agree(name, shape, linker):
    inputs = [T.dmatrix("x"), T.dmatrix("y"), T.dvector("v"), T.dscalar("s"), T.lscalar("i")]
    output = EXPRESSIONS[name](*inputs)
    plain = theano.function(inputs, output, mode=theano.Mode("py", None), on_unused_input="ignore")
    other = theano.function(
        inputs, output, mode=theano.Mode(linker, "fast_run"), on_unused_input="ignore"
    )
    given = values(*SHAPES[shape])
    try:
        expected = plain(*given)
    except (ValueError, IndexError) as error:
        with pytest.raises(type(error)):
            other(*given)
        return
    got = other(*given)
    if not isinstance(expected, list):
        expected, got = [expected], [got]
    for a, b in zip(expected, got, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(b, a, rtol=1e-6 if a.dtype == "float32" else 1e-12, atol=1e-12)
