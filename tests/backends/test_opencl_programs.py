"""Whole programs on an OpenCL device, and functions with ``device=opencl…``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import in_threads

pytest.importorskip("pyopencl", reason="the extra theano[opencl] is not installed")

import theano
import theano.tensor as T
from theano.backends.opencl import build
from theano.backends.opencl import device as devices
from theano.backends.opencl.device import Device, DeviceMissing, Pool, open_device
from theano.backends.opencl.prims import NotOnDevice
from theano.backends.opencl.render import render_kernel
from theano.core.config import config
from theano.kernel import ir
from theano.kernel.build import Builder
from theano.lower import program as pg
from theano.lower.function import lower_function


def lower(inputs: Any, outputs: Any, updates: Any = ()) -> Any:
    """A graph, rewritten and lowered."""
    mode = theano.Mode(linker="numpy", optimizer="fast_run")
    maker = theano.function(inputs, outputs, updates=list(updates), mode=mode).maker
    return lower_function(maker.variables, maker.rewritten_outputs, maker.rewritten_updates)


def on_device(device: Device, inputs: Any, outputs: Any, updates: Any = ()) -> Any:
    """A graph on the device."""
    lowered = lower(inputs, outputs, updates)
    compiled = build.compile_program(lowered.program, device.name)
    cells = [s.container.storage for s in lowered.shared]
    return compiled.make_entry(lowered.program, cells)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_elementwise_with_broadcasting_and_views(device: Device) -> None:
    x, y = T.fmatrix("x"), T.fvector("y")
    f = on_device(device, [x, y], [T.tanh(x[::-1, 1:]) * y + 1, x.T[2] - y.sum()])
    a, b = rng().normal(size=(5, 4)).astype("float32"), np.arange(3, dtype="float32")
    got = f(a, b)
    np.testing.assert_allclose(got[0], np.tanh(a[::-1, 1:]) * b + 1, rtol=1e-5)
    np.testing.assert_allclose(got[1], a.T[2] - 3, rtol=1e-5)
    assert [g.dtype.name for g in got] == ["float32", "float32"]
    np.testing.assert_allclose(f(a[:0], b)[0], np.zeros((0, 3)))


def test_inputs_in_any_memory_order(device: Device) -> None:
    x = T.dmatrix("x")
    f = on_device(device, [x], [x * 2, x.sum(axis=0)])
    a = rng().normal(size=(6, 8))
    for given in (a, np.asfortranarray(a), a[::-2, ::3], np.broadcast_to(a[:1], (4, 8))):
        np.testing.assert_allclose(f(given)[0], given * 2)
        np.testing.assert_allclose(f(given)[1], given.sum(0))


@pytest.mark.parametrize("shapes", [((5, 7), (7, 3)), ((150, 33), (33, 17)), ((3, 0), (0, 2))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrix_products(device: Device, shapes: Any, dtype: str) -> None:
    x, y = T.matrix("x", dtype), T.matrix("y", dtype)
    f = on_device(device, [x, y], [T.dot(x, y), T.dot(y.T, x.T)])
    a, b = (rng().normal(size=s).astype(dtype) for s in shapes)
    got = f(a, b)
    np.testing.assert_allclose(got[0], a @ b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[1], b.T @ a.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "int32", "int8", "bool"])
def test_batches_of_products_and_integers(device: Device, dtype: str) -> None:
    x, y = T.tensor3("x", dtype), T.tensor3("y", dtype)
    f = on_device(device, [x, y], [T.matmul(x, y), T.dot(x[0], y[1])])
    a, b = (rng().integers(-5, 5, s).astype(dtype) for s in ((3, 70, 33), (3, 33, 20)))
    got = f(a, b)
    np.testing.assert_allclose(got[0], np.matmul(a, b), rtol=1e-4)
    np.testing.assert_allclose(got[1], np.dot(a[0], b[1]), rtol=1e-4)


def gemm_program(alpha: float, beta: float) -> pg.Program:
    """out = alpha a b + beta c, into a copy of c."""
    axes = ("a0", "a1")
    k = Builder()
    source, copy = ir.Operand("i0", "float32", axes), ir.Operand("o1", "float32", axes, "out")
    k.store(copy, k.load(source))
    kernel = ir.Kernel(
        "copy", axes, (), (source, copy), (), (ir.Stage("each", tuple(k.statements)),)
    )
    names = [pg.Param(n, "float32", 2, "input", i, (None, None)) for i, n in enumerate("abc")]
    both = (0, 1)
    steps = (
        pg.Dim("n", "c", 0),
        pg.Dim("m", "c", 1),
        pg.Alloc("out", "float32", ("n", "m"), "output"),
        pg.Launch(kernel, ("n", "m"), (pg.Operand("c", both), pg.Operand("out", both)), ()),
        pg.Call("gemm", ("out", "a", "b"), (alpha, beta)),
    )
    return pg.Program("gemm", tuple(names), steps, (pg.Result("output", 0, "out"),), 0)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (2.0, 1.0), (-0.5, 0.25)])
def test_gemm_by_hand(device: Device, alpha: float, beta: float) -> None:
    program = gemm_program(alpha, beta)
    f = build.compile_program(program, device.name).make_entry(program, [], single=True)
    a, b, c = (rng().normal(size=s).astype("float32") for s in ((20, 5), (5, 18), (20, 18)))
    np.testing.assert_allclose(f(a, b, c), alpha * a @ b + beta * c, rtol=1e-4, atol=1e-5)
    if beta == 0:
        assert np.isfinite(f(a, b, np.full_like(c, np.nan))).all()


def softmax_regression() -> Any:
    """The symbols, cost and updates of a small logistic regression."""
    x, y = T.fmatrix("x"), T.ivector("y")
    w = theano.shared(rng().normal(size=(20, 10)).astype("float32"), "w")
    b = theano.shared(np.zeros(10, "float32"), "b")
    p = T.nnet.softmax(T.dot(x, w) + b)
    cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
    rate = np.float32(0.1)
    updates = [(v, v - rate * g) for v, g in zip((w, b), T.grad(cost, [w, b]), strict=True)]
    return [x, y], cost, updates


def test_logistic_regression_step(device: Device) -> None:
    inputs, cost, updates = softmax_regression()
    f = on_device(device, inputs, [cost], updates)
    a = rng().normal(size=(60, 20)).astype("float32")
    labels = rng().integers(0, 10, 60).astype("int32")
    w, b = (v.get_value() for v, _ in updates)
    for _ in range(3):
        e = np.exp(a @ w + b - (a @ w + b).max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        got = f(a, labels)[0]
        np.testing.assert_allclose(got, -np.log(p[np.arange(60), labels]).mean(), rtol=1e-4)
        p[np.arange(60), labels] -= 1
        w, b = w - 0.1 * a.T @ p / 60, b - 0.1 * p.mean(0)
        for (v, _), want in zip(updates, (w, b), strict=True):
            np.testing.assert_allclose(v.get_value(), want, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("extents", [(20, 10), (70, 33), (0, 3), (3, 0)])
def test_a_penalty_on_the_weights_of_a_product(device: Device, extents: tuple[int, int]) -> None:
    x = T.fmatrix("x")
    start = rng().normal(size=extents).astype("float32")
    w = theano.shared(start)
    cost = T.tanh(T.dot(x, w)).sum() + np.float32(0.5) * T.sqr(w).sum()
    update = w - np.float32(0.1) * T.grad(cost, w)
    f = on_device(device, [x], [cost], [(w, update)])
    data = rng().normal(size=(6, extents[0])).astype("float32")
    for _ in range(3):
        now = w.get_value()
        wanted = np.tanh(data @ now).sum() + 0.5 * np.square(now).sum()
        np.testing.assert_allclose(f(data)[0], wanted, rtol=1e-4)
        slope = data.T @ (1 - np.tanh(data @ now) ** 2) + now
        np.testing.assert_allclose(w.get_value(), now - 0.1 * slope, rtol=1e-4, atol=1e-5)


def test_a_failed_step_stores_nothing_and_calls_back(device: Device) -> None:
    inputs, cost, updates = softmax_regression()
    lowered = lower(inputs, [cost], updates)
    cells = [s.container.storage for s in lowered.shared]
    failures: list[Any] = []

    def fail(step: int, *args: Any) -> str:
        failures.append((step, len(args)))
        return "told"

    compiled = build.compile_program(lowered.program, device.name)
    f = compiled.make_entry(lowered.program, cells, fail=fail, single=True)
    before = [cell[0] for cell in cells]
    a = np.zeros((3, 20), "float32")
    assert f(a, np.array([1, 10, 2], "int32")) == "told"
    assert f(np.zeros((3, 21), "float32"), np.zeros(3, "int32")) == "told"
    assert all(cell[0] is old for cell, old in zip(cells, before, strict=True))
    steps = lowered.program.steps
    assert isinstance(steps[failures[0][0]], pg.Launch)
    assert not isinstance(steps[failures[1][0]], pg.Launch)
    with pytest.raises(build.StepFailed):
        compiled.make_entry(lowered.program, cells)(a, np.array([1, 10, 2], "int32"))
    assert np.isfinite(f(a, np.array([1, 9, 0], "int32")))


def test_values_that_do_not_fit_take_the_slow_path(device: Device) -> None:
    x = T.fmatrix("x")
    lowered = lower([x], [x + 1])
    compiled = build.compile_program(lowered.program, device.name)
    f = compiled.make_entry(lowered.program, [], slow=lambda *args: args)
    bad = [np.zeros((2, 2)), np.zeros(2, "float32"), [[1.0]], np.zeros((2, 2), ">f4")]
    for value in bad:
        assert f(value)[0] is value
    assert f() == ()
    with pytest.raises(build.Mismatch, match="float32 of shape"):
        compiled.make_entry(lowered.program, [])(bad[0])


def test_a_shared_value_changed_by_its_owner_is_seen(device: Device) -> None:
    start = np.zeros(3, "float32")
    s = theano.shared(start, borrow=True)
    f = on_device(device, [], [s * 2], [(s, s + 1)])
    assert f()[0].tolist() == [0, 0, 0]
    s.get_value(borrow=True)[0] = 10
    assert f()[0].tolist() == [20, 2, 2]
    s.set_value(np.full(2, 5, "float32"))
    assert f()[0].tolist() == [10, 10]
    assert s.get_value().tolist() == [6, 6]


def test_memory_is_given_back(device: Device) -> None:
    x = T.fmatrix("x")
    f = on_device(device, [x], [T.dot(T.exp(x), x.T).sum(axis=1)])
    f(np.ones((3, 4), "float32"))
    used = device.pool.used
    for n in (1, 30, 200):
        f(np.ones((n, 4), "float32"))
    assert device.pool.used == used


def test_pool_reuses_and_is_bounded(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(device.context)
    first = pool.take(1000)
    pool.give(first)
    assert pool.take(1024) is first
    monkeypatch.setattr(devices, "_KEPT", 100)
    pool.give(first)
    assert pool.kept == 0


def test_threads_share_a_function(device: Device) -> None:
    x = T.fvector("x")
    f = on_device(device, [x], [(x * x).sum()])
    wrong: list[Any] = []

    def work(n: int) -> None:
        for _ in range(5):
            got = f(np.full(100, n, "float32"))[0]
            if got != 100 * n * n:
                wrong.append((n, got))

    in_threads(work, range(8))
    assert not wrong


def test_scatter_and_gather_functions(device: Device) -> None:
    x, i, v = T.fmatrix("x"), T.lvector("i"), T.fmatrix("v")
    f = on_device(device, [x, i, v], [T.inc_subtensor(x[i], v), x[i] * 2])
    a, rows = rng().normal(size=(6, 3)).astype("float32"), np.array([0, 5, 0, -1])
    add = rng().normal(size=(4, 3)).astype("float32")
    want = a.copy()
    np.add.at(want, rows, add)
    got = f(a, rows, add)
    np.testing.assert_allclose(got[0], want, rtol=1e-5)
    np.testing.assert_allclose(got[1], a[rows] * 2)


# what is not there yet -----------------------------------------------------------------------


def test_python_steps_are_named() -> None:
    program = pg.Program(
        "f", (), (pg.PyCall(0, (), (("y", "float32", 1),)),), (pg.Result("output", 0, "y"),), 0,
        callables=(pg.PyFunction("Frobnicate{3}", list),),
    )  # fmt: skip
    with pytest.raises(NotOnDevice, match=r"cannot run the op Frobnicate\{3\} yet"):
        build.check_supported(program)


def test_library_functions_are_named() -> None:
    program = pg.Program("f", (), (pg.Call("cholesky", (), ()),), (), 0)
    with pytest.raises(NotOnDevice, match="the library function cholesky yet"):
        build.check_supported(program)


def test_a_device_without_float64_says_so(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "doubles", False)
    x, y = T.dvector("x"), T.fvector("y")
    with pytest.raises(NotOnDevice, match="has no float64; use float32"):
        on_device(device, [x], [x + 1])
    assert on_device(device, [y], [y + 1])(np.ones(2, "float32"))[0].tolist() == [2, 2]


@pytest.mark.parametrize("name", ["opencl99:0", "opencl0:99"])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(DeviceMissing, match=name):
        open_device(name)
    with pytest.raises(ValueError, match="not an OpenCL device"):
        open_device("cpu")


def test_a_device_is_refused_after_a_fork(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.fvector("x")
    f = on_device(device, [x], [x + 1])
    monkeypatch.setattr(device, "process", device.process + 1)
    with pytest.raises(RuntimeError, match="'spawn'"):
        f(np.ones(2, "float32"))


# functions -----------------------------------------------------------------------------------


@pytest.fixture
def flag(device: Device) -> None:
    config.override("device", device.name)


@pytest.mark.usefixtures("flag")
def test_functions_run_on_the_device_that_the_flag_names() -> None:
    x, y = T.fmatrix("x"), T.fmatrix("y")
    f = theano.function([x, y], x + y)
    assert isinstance(f.native, build.Entry)
    assert f([[1, 2], [1, 3]], [[1, 0], [3, 4]]).tolist() == [[2, 2], [4, 7]]
    with pytest.raises(ValueError, match=r"[Ss]hape|mismatch|dimension"):
        f(np.ones((2, 3), "float32"), np.ones((3, 2), "float32"))
    inputs, cost, updates = softmax_regression()
    step = theano.function(inputs, [cost, cost * 2], updates=updates)
    a, b = step(np.ones((4, 20), "float32"), np.arange(4, dtype="int32"))
    assert b == pytest.approx(2 * a)


@pytest.mark.usefixtures("flag")
def test_functions_that_need_more_stay_on_the_cpu_and_say_why() -> None:
    x = T.dvector("x")
    with pytest.warns(RuntimeWarning, match=r"not run on device=opencl.*do not have 'jv' yet"):
        f = theano.function([x], T.jv(x, x))
    np.testing.assert_allclose(f([0.0]), [1.0])
    config.assert_no_cpu_op = "raise"
    with pytest.raises(NotOnDevice):
        theano.function([x], T.jv(x, x) + 1)


def test_a_text_names_its_kernel() -> None:
    x = ir.Operand("x", "float32", ("a0",), "out")
    k = Builder()
    k.store(x, k.const(1.5, "float32"))
    kernel = ir.Kernel("fill", ("a0",), (), (x,), (), (ir.Stage("each", tuple(k.statements)),))
    assert "void k0_item(" in render_kernel(kernel, "k0").source
