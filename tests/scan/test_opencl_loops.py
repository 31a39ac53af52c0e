"""Loops and branches on an OpenCL device: the host repeats what was compiled once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyopencl", reason="the extra theano[opencl] is not installed")

import theano
import theano.tensor as T
from theano.backends.opencl import build
from theano.backends.opencl.device import Device
from theano.ifelse import ifelse
from theano.lower import program as pg
from theano.lower.function import lower_function


def on_device(device: Device, inputs: Any, outputs: Any, updates: Any = ()) -> Any:
    mode = theano.Mode(linker="numpy", optimizer="fast_run")
    maker = theano.function(inputs, outputs, updates=list(updates), mode=mode).maker
    lowered = lower_function(maker.variables, maker.rewritten_outputs, maker.rewritten_updates)
    assert any(isinstance(s, (pg.Loop, pg.Branch)) for s in lowered.program.steps)
    compiled = build.compile_program(lowered.program, device.name)
    return compiled.make_entry(lowered.program, [s.container.storage for s in lowered.shared])


def agree(device: Device, inputs: Any, outputs: Any, values: Any) -> None:
    want = theano.function(inputs, outputs)(*values)
    f = on_device(device, inputs, outputs)
    for _ in range(2):
        for a, b in zip(f(*values), want, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def rand(*shape: int) -> Any:
    return np.random.RandomState(0).rand(*shape).astype("float32") - 0.5


def test_recurrent_network_with_gradients(device: Device) -> None:
    x, w, h = T.fmatrix("x"), T.fmatrix("w"), T.fvector("h")
    out, _ = theano.scan(lambda r, h: T.tanh(r + T.dot(h, w)), x, h)
    grads = theano.grad(out[-1].sum() + (out**2).sum(), [x, w, h])
    agree(device, [x, w, h], [out, *grads], [rand(5, 3), rand(3, 3), rand(3)])


def test_taps_until_and_last_values(device: Device) -> None:
    x, n = T.fmatrix("x"), T.lscalar("n")
    (a, b), _ = theano.scan(
        lambda m2, m1, c: (
            [m2 * 0.5 + m1, c + m1.sum()], {}, theano.scan_module.until(c > 3)),
        None, [{"initial": x, "taps": [-2, -1]}, T.zeros((), "float32")], n_steps=n,
    )  # fmt: skip
    for steps in (0, 1, 40):
        agree(device, [x, n], [a, b], [np.abs(rand(2, 3)), np.asarray(steps)])
    agree(device, [x, n], [a[-1], b[-1]], [rand(2, 3), np.asarray(7)])


def test_branches_in_nested_loops(device: Device) -> None:
    x = T.fmatrix("x")

    def step(row: Any, s: Any) -> Any:
        inner, _ = theano.scan(lambda v, q: T.tanh(q * v + 0.25), row, s)
        return ifelse(row.sum() > 0, inner[-1], s * row[0])

    out, _ = theano.scan(step, x, T.ones((), "float32"))
    agree(device, [x], [out], [rand(6, 2)])


def test_updates_inside(device: Device) -> None:
    x, total = T.fmatrix("x"), theano.shared(np.zeros(3, "float32"))
    out, updates = theano.scan(lambda r: (r * total, {total: total + r}), x)
    f = on_device(device, [x], [out], updates.items())
    a = rand(4, 3)
    f(a)
    np.testing.assert_allclose(total.get_value(), a.sum(0), rtol=1e-5)


def test_a_step_that_fails(device: Device) -> None:
    x, i = T.fvector("x"), T.lvector("i")
    s = theano.shared(np.float32(0))
    out, updates = theano.scan(lambda k, h: (h + x[k], {s: s + h}), i, T.zeros((), "float32"))
    f = on_device(device, [x, i], [out], updates.items())
    with pytest.raises(build.StepFailed):
        f(rand(3), np.array([0, 1, 7]))
    assert s.get_value() == 0
    f(rand(3), np.array([0, 1, 2]))
