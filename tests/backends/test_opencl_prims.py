"""Every OpenCL primitive on a device against its NumPy or SciPy meaning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyopencl", reason="the extra theano[opencl] is not installed")

from theano.backends.opencl import prims
from theano.backends.opencl.compiler import run_kernel
from theano.backends.opencl.device import Device
from theano.core.errors import MissingSpelling
from theano.kernel import ir
from theano.kernel.build import Builder
from theano.kernel.prims import PRIMS, evaluate, result_dtype

INTS = ("int8", "int16", "int32", "int64")
UINTS = tuple("u" + name for name in INTS)
ALL = ("bool", *INTS, *UINTS, "float32", "float64")


def run(device: Device, kernel: ir.Kernel, size: int, arrays: list[Any]) -> None:
    """Run a map over one axis, along which all operands move."""
    assert run_kernel(device, kernel, [size], arrays, [[0]] * len(arrays), [[]] * len(arrays))


def test_every_primitive_is_spelled_or_listed_as_lacking() -> None:
    spelled = set(prims.SPELLINGS)
    assert spelled | set(prims.LACKING) | {"cast"} == set(PRIMS)
    assert not spelled & set(prims.LACKING)
    for name, row in prims.SPELLINGS.items():
        have = set("".join(row))
        assert set(PRIMS[name].kinds) <= have, name


def test_what_is_lacking_is_named() -> None:
    with pytest.raises(prims.NotOnDevice, match="'jv' yet: Bessel"):
        prims.spell("jv", "float64", ["a", "b"])
    with pytest.raises(MissingSpelling, match=r"backends/opencl/prims\.py"):
        prims.spell("frobnicate", "float64", ["a"])
    with pytest.raises(MissingSpelling, match="erf for int8"):
        prims.spell("erf", "int8", ["a"])


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0.1, "float64"), (-1e-320, "float64"), (1e40, "float32"), (-(2**63), "int64"),
     (2**64 - 1, "uint64"), (True, "bool"), (-128, "int8")],
)  # fmt: skip
def test_literals_name_their_exact_value(value: float, dtype: str) -> None:
    text = prims.literal(value, dtype)
    if dtype == "float64":
        assert float.fromhex(text.strip("()")) == value
    elif dtype == "float32":
        assert "INFINITY" in text
    else:
        assert str(abs(int(value)) - (value == -(2**63))) in text


def operands(dtype: str, rng: np.random.Generator) -> list[np.ndarray]:
    if dtype == "bool":
        return [rng.integers(0, 2, 256).astype(bool) for _ in range(3)]
    if dtype.startswith("float"):
        special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -3, 7, 1e-30])
        a, b = (x.ravel() for x in np.meshgrid(special, special))
        both = [np.concatenate([x, rng.normal(0, 3, 112)]).astype(dtype) for x in (a, b)]
        return [*both, rng.normal(0, 3, 256).astype(dtype)]
    info = np.iinfo(dtype)
    special = np.array([info.min, info.min + 1, info.max, 0, 1, 2, 3, 5, 7, 40], dtype=dtype)
    a, b = (x.ravel() for x in np.meshgrid(special, special))
    more = rng.integers(info.min, info.max, (2, 156), dtype=dtype, endpoint=True)
    c = rng.integers(0, 9, 256).astype(dtype)
    return [np.concatenate([a, more[0]]), np.concatenate([b, more[1]]), c]


def domain(name: str, args: list[np.ndarray]) -> list[np.ndarray]:
    """Operands for which a primitive is defined, and does not stop the kernel."""
    a, b = args[0], args[1]
    if name in ("idiv", "mod") and a.dtype.kind in "iu":
        return [a, np.where(b == 0, b.dtype.type(3), b)]
    if name == "pow" and a.dtype.kind in "iu":
        return [a, np.abs(args[2])]
    if name in ("gammainc", "gammaincc", "gammal", "gammau", "chi2sf"):
        return [np.abs(args[2]) + a.dtype.type(0.1), np.abs(args[2][::-1]) + a.dtype.type(0.1)]
    if name in ("j0", "j1", "i0", "i1"):
        return [
            np.concatenate([np.linspace(-90, 90, 250), a[:2], [0, 400, -650, 0.01]]).astype(a.dtype)
        ]
    if name in ("psi", "trigamma", "gamma", "lgamma", "erfcx"):
        return [np.abs(args[2]) + a.dtype.type(0.1)]
    return args


@pytest.mark.parametrize("dtype", ALL)
def test_primitives_agree_with_numpy(dtype: str, device: Device) -> None:
    kind = np.dtype(dtype).kind
    names = [n for n, p in PRIMS.items()
             if kind in p.kinds and n in prims.SPELLINGS and n != "select"]  # fmt: skip
    args = operands(dtype, np.random.default_rng(0))
    given = [domain(name, args)[: PRIMS[name].arity] for name in names]
    k, row, arrays = Builder(), [], []
    for name, values in zip(names, given, strict=True):
        loaded = []
        for value in values:
            row.append(ir.Operand(f"i{len(row)}", dtype, ("a0",)))
            arrays.append(value)
            loaded.append(k.load(row[-1]))
        out = result_dtype(name, dtype)
        row.append(ir.Operand(f"i{len(row)}", out, ("a0",), "out"))
        arrays.append(np.zeros(256, out))
        k.store(row[-1], k.apply(name, *loaded))
    kernel = ir.Kernel("all", ("a0",), (), tuple(row), (), (ir.Stage("each", tuple(k.statements)),))
    run(device, kernel, 256, arrays)
    results = iter(arrays)
    for name, values in zip(names, given, strict=True):
        for _ in values:
            next(results)
        want = evaluate(name, tuple(values), result_dtype(name, dtype))
        check(name, dtype, values, next(results), want)


def check(name: str, dtype: str, args: list[np.ndarray], got: np.ndarray, want: np.ndarray) -> None:
    if got.dtype.kind != "f":
        bad = got != want
    elif PRIMS[name].rare:
        bad = ~np.isclose(got, want, rtol=2e-5 if dtype == "float32" else 1e-10, equal_nan=True)
    else:
        tolerance = 40 * np.finfo(dtype).eps
        bad = ~np.isclose(got, want, rtol=tolerance, atol=np.finfo(dtype).tiny, equal_nan=True)
        if name in ("copysign", "rint", "trunc", "floor", "ceil", "round", "neg", "abs"):
            bad |= ~np.isnan(want) & (np.signbit(got) != np.signbit(want))
    where = np.flatnonzero(bad)[:5]
    assert not len(where), [(*(a[i] for a in args), got[i], want[i]) for i in where] + [name]


@pytest.mark.parametrize("source", [*ALL, "float16"])
def test_casts_agree_with_numpy(source: str, device: Device) -> None:
    targets = [t for t in (*ALL, "float16") if t != source]
    values = np.array([0, 1, 2, 3, 100, 0.5, 1.75, 77.0] * 8)
    if source.startswith(("int", "float")):
        values[8:16] *= -1
    values = values.astype(source)
    loaded = "float32" if source == "float16" else source
    k = Builder()
    row = [ir.Operand("x", source, ("a0",))]
    arrays = [values]
    for target in targets:
        row.append(ir.Operand(f"o{target}", target, ("a0",), "out"))
        arrays.append(np.zeros(64, target))
        k.store(row[-1], k.cast(k.load(row[0]), "float32" if target == "float16" else target))
    kernel = ir.Kernel(
        "casts", ("a0",), (), tuple(row), (), (ir.Stage("each", tuple(k.statements)),)
    )
    run(device, kernel, 64, arrays)
    for target, got in zip(targets, arrays[1:], strict=True):
        safe = values if not target.startswith("uint") else np.abs(values)
        fine = safe == values
        np.testing.assert_array_equal(
            got[fine], values.astype(loaded).astype(target)[fine], err_msg=target
        )


def test_cast_to_half_in_registers_rounds(device: Device) -> None:
    k = Builder()
    x, y = ir.Operand("x", "float32", ("a0",)), ir.Operand("y", "float32", ("a0",), "out")
    k.store(y, k.cast(k.cast(k.load(x), "float16"), "float32"))
    kernel = ir.Kernel("half", ("a0",), (), (x, y), (), (ir.Stage("each", tuple(k.statements)),))
    values = np.linspace(-3, 70000, 64, dtype="float32")
    out = np.zeros(64, "float32")
    run(device, kernel, 64, [values, out])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(out, values.astype("float16").astype("float32"))
