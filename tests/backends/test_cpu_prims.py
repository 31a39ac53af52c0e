"""Every CPU primitive in a small native loop against its NumPy or SciPy meaning."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from theano.backends.cpu import compiler, prims, special
from theano.backends.cpu.emit import Emitter
from theano.core.errors import MissingSpelling
from theano.kernel.prims import PRIMS, evaluate, result_dtype

INTS = ("int8", "int16", "int32", "int64")
UINTS = tuple("u" + name for name in INTS)
FLOATS = ("float32", "float64")
ALL = ("bool", *INTS, *UINTS, "float16", *FLOATS)
LANES = (1, 4, 16)
Body = Callable[[Emitter, list[str]], str]


def native(
    body: Body, ins: list[str], out: str, lanes: int, fails: bool = False
) -> Callable[..., np.ndarray]:
    """A function of arrays that runs `body` on so many lanes at a time."""
    e = Emitter(lanes, features=compiler.host_features().features)
    values = []
    for i, dtype in enumerate(ins):
        at = e.emit(f"mul i64 %i, {np.dtype(dtype).itemsize}")
        values.append(prims.emit_load(e, dtype, e.emit(f"getelementptr i8, ptr %in{i}, i64 {at}")))
    result = body(e, values)
    if fails:
        result, out = e.failures[0], "bool"
    at = e.emit(f"mul i64 %i, {np.dtype(out).itemsize}")
    prims.emit_store(e, out, e.emit(f"getelementptr i8, ptr %out, i64 {at}"), result)
    params = "".join(f", ptr %in{i}" for i in range(len(ins)))
    lines = "\n".join(e.lines)
    text = (
        f"{e.module_text()}\ndefine void @f(ptr %out, i64 %n{params}) {{\n"
        "entry:\n  br label %go\n"
        f"go:\n  %i = phi i64 [ 0, %entry ], [ %i2, %go ]\n{lines}\n  %i2 = add i64 %i, {lanes}\n"
        "  %more = icmp ult i64 %i2, %n\n  br i1 %more, label %go, label %end\n"
        "end:\n  ret void\n}\n"
    )
    imports = {name: special.address(name) for name in special.EXTERNALS if f"@{name}(" in text}
    module = compiler.compile_module(text, ["f"], imports, verify=True)
    kinds = [ctypes.c_void_p, ctypes.c_int64] + [ctypes.c_void_p] * len(ins)
    function = ctypes.CFUNCTYPE(None, *kinds)(module["f"])

    def call(*arrays: np.ndarray) -> np.ndarray:
        count = len(arrays[0])
        padded = [
            np.resize(np.asarray(a, dtype), -(-count // lanes) * lanes)
            for a, dtype in zip(arrays, ins, strict=True)
        ]
        result = np.empty(len(padded[0]), out)
        function(result.ctypes.data, len(result), *[a.ctypes.data for a in padded])
        assert module["f"]
        return result[:count]

    return call


def samples(dtype: str) -> np.ndarray:
    """Special and ordinary values of a dtype."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.array([False, True])
    if kind in "iu":
        info = np.iinfo(dtype)
        edge = [info.min, info.min + 1, info.max - 1, info.max, 0, 1, 2, 3, 5, 7, 100]
        return np.array(edge + ([-1, -2, -3, -7, -100] if kind == "i" else []), dtype)
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal, info.tiny, 1e-4, 0.1, 0.3, 0.5, 1.0, 1.5, 2.0, 2.5]
    positive += [3.0, 10.0, 31.7, 88.5, 1000.0, float(info.max), np.inf]
    return np.array(positive + [-v for v in positive] + [np.nan], dtype)


def pairs(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.meshgrid(samples(dtype), samples(dtype))
    return a.ravel(), b.ravel()


def operands(name: str, dtype: str) -> list[np.ndarray]:
    arity = PRIMS[name].arity
    if arity == 1:
        return [samples(dtype)]
    a, b = pairs(dtype)
    if name == "select":
        return [np.arange(len(a)) % 3 == 0, a, b]
    return [a, b, np.roll(a, 5)][:arity]


def run(name: str, dtype: str, lanes: int, arrays: list[np.ndarray]) -> np.ndarray:
    ins = ["bool", dtype, dtype] if name == "select" else [dtype] * len(arrays)
    body: Body = lambda e, args: prims.emit(e, name, dtype, args)  # noqa: E731
    return native(body, ins, result_dtype(name, dtype), lanes)(*arrays)


def assert_ulp(got: np.ndarray, want: np.ndarray, ulp: float, dtype: str) -> None:
    """Equal, NaN and infinities alike, or within so many units of the last place of `dtype`."""
    with np.errstate(invalid="ignore", over="ignore"):
        exact = want.astype(dtype)
        spacing = np.spacing(np.abs(exact)).astype(np.float64)
        near = np.abs(got.astype(np.float64) - want.astype(np.float64)) <= ulp * spacing
    same = (got == exact) | (np.isnan(got) & np.isnan(exact)) | (near & np.isfinite(exact))
    assert same.all(), [(got[i], exact[i], i) for i in np.flatnonzero(~same)[:5]]


INEXACT = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "softplus", "erf", "erfc",
    "pow", "atan2",
]  # fmt: skip
RARE = sorted(name for name, row in PRIMS.items() if row.rare)
EXACT = sorted(set(PRIMS) - set(INEXACT) - set(RARE) - {"cast", "idiv", "mod", "shl", "shr", "fma"})


def test_every_primitive_has_a_spelling() -> None:
    assert set(prims.SPELLINGS) == set(PRIMS) - {"cast"}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("lanes", LANES)
def test_exact_primitives_on_every_dtype(name: str, lanes: int) -> None:
    for dtype in ALL:
        if np.dtype(dtype).kind not in PRIMS[name].kinds or dtype == "float16":
            continue
        arrays = operands(name, dtype)
        want = evaluate(name, tuple(arrays), result_dtype(name, dtype))
        np.testing.assert_array_equal(run(name, dtype, lanes, arrays), want, f"{name} {dtype}")


@pytest.mark.parametrize("name", INEXACT)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("lanes", LANES)
def test_math_functions(name: str, dtype: str, lanes: int) -> None:
    rng = np.random.default_rng(3)
    arity = PRIMS[name].arity
    extra = [rng.normal(scale=scale, size=(arity, 200)) for scale in (0.1, 1, 10, 1e3)]
    random = np.concatenate(extra, axis=1).astype(dtype)
    arrays = [np.concatenate([a, r]) for a, r in zip(operands(name, dtype), random, strict=True)]
    wide = np.float64 if dtype == "float32" else np.longdouble
    with np.errstate(all="ignore"):
        if name in ("erf", "erfc"):
            want = np.array([getattr(math, name)(v) for v in arrays[0].tolist()])
        else:
            want = PRIMS[name].ref(*[a.astype(wide) for a in arrays])
    assert_ulp(run(name, dtype, lanes, arrays), want, 4.5, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "name",
    [
        "expm1",
        "log1p",
        "sin",
        "tan",
        "asin",
        "atan",
        "sinh",
        "tanh",
        "asinh",
        "atanh",
        "erf",
        "sign",
        "rint",
        "round",
        "trunc",
    ],
)
def test_sign_of_zero_is_kept(name: str, dtype: str) -> None:
    got = run(name, dtype, 4, [np.array([0.0, -0.0, 0.0, -0.0], dtype)])
    want = [False, False, False, False] if name == "sign" else [False, True, False, True]
    assert np.signbit(got).tolist() == want


@pytest.mark.parametrize("dtype", FLOATS)
def test_angles_far_from_zero(dtype: str) -> None:
    mp = pytest.importorskip("mpmath")
    mp.mp.prec = 1400
    info = np.finfo(dtype)
    hard = [99999.0, 100001.0, 6381956970095103 * 2.0**797, 1e22, 2.0**60, float(info.max), -1e30]
    with np.errstate(over="ignore"):
        x = np.array([v for v in hard if abs(v) <= info.max]).astype(dtype)
    for name in ("sin", "cos", "tan"):
        want = np.array([float(getattr(mp, name)(mp.mpf(float(v)))) for v in x])
        assert_ulp(run(name, dtype, 16, [x]), want, 3.0, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", RARE)
def test_functions_from_scipy(name: str, dtype: str) -> None:
    pytest.importorskip("scipy")
    rng = np.random.default_rng(1)
    x = rng.uniform(0.1, 5, (PRIMS[name].arity, 40))
    if name in ("erfinv", "erfcinv"):
        x = rng.uniform(0.05, 0.9, (1, 40))
    arrays = list(x.astype(dtype))
    want = PRIMS[name].ref(*[a.astype("float64") for a in arrays])
    assert_ulp(run(name, dtype, 4, arrays), want, 40.0 if dtype == "float64" else 1.0, dtype)


def test_trigamma_of_negative_numbers_and_poles() -> None:
    scipy_special = pytest.importorskip("scipy.special")
    x = np.array([-0.5, -3.25, -10.7, 1e-3, 400.0, 0.0])
    got = run("trigamma", "float64", 4, [x])
    np.testing.assert_allclose(got, scipy_special.polygamma(1, x), rtol=1e-13)


@pytest.mark.parametrize("dtype", [*INTS, *UINTS, *FLOATS])
@pytest.mark.parametrize("name", ["idiv", "mod"])
@pytest.mark.parametrize("lanes", LANES)
def test_floor_division(name: str, dtype: str, lanes: int) -> None:
    a, b = pairs(dtype)
    if np.dtype(dtype).kind != "f":
        a, b = a[b != 0], b[b != 0]
    want = evaluate(name, (a, b), dtype)
    np.testing.assert_array_equal(run(name, dtype, lanes, [a, b]), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_remainder_is_exact(dtype: str) -> None:
    rng = np.random.default_rng(2)
    a = np.exp2(rng.uniform(-60, 100, 4000)) * rng.choice([-1, 1], 4000)
    b = np.exp2(rng.uniform(-60, 100, 4000)) * rng.choice([-1, 1], 4000)
    a, b = a.astype(dtype), b.astype(dtype)
    np.testing.assert_array_equal(run("mod", dtype, 16, [a, b]), np.mod(a, b))


@pytest.mark.parametrize("name", ["idiv", "mod"])
def test_integer_division_by_zero_is_reported_per_lane(name: str) -> None:
    body: Body = lambda e, args: prims.emit(e, name, "int32", args)  # noqa: E731
    failing = native(body, ["int32", "int32"], "int32", 4, fails=True)
    got = failing(np.arange(8), np.array([1, 0, 2, 3, 0, 0, 1, -1]))
    assert got.tolist() == [False, True, False, False, True, True, False, False]


@pytest.mark.parametrize("dtype", [*INTS, *UINTS])
@pytest.mark.parametrize("lanes", [1, 8])
def test_integer_powers(dtype: str, lanes: int) -> None:
    base, exponent = pairs(dtype)
    base, exponent = base[exponent >= 0], exponent[exponent >= 0]
    want = evaluate("pow", (base, exponent), dtype)
    np.testing.assert_array_equal(run("pow", dtype, lanes, [base, exponent]), want)


def test_negative_integer_powers_are_truncated_reciprocals() -> None:
    base = np.array([1, -1, -1, 2, -3, 0], "int32")
    got = run("pow", "int32", 1, [base, np.array([-3, -3, -2, -1, -2, -1], "int32")])
    assert got.tolist() == [1, -1, 1, 0, 0, 0]


@pytest.mark.parametrize("dtype", [*INTS, *UINTS])
@pytest.mark.parametrize("name", ["shl", "shr"])
def test_shifts(name: str, dtype: str) -> None:
    value, amount = np.meshgrid(samples(dtype), np.array([0, 1, 3, 7, 8, 31, 63, 100], dtype))
    got = run(name, dtype, 4, [value.ravel(), amount.ravel()])
    np.testing.assert_array_equal(got, evaluate(name, (value.ravel(), amount.ravel()), dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_multiply_add_rounds_once_or_twice(dtype: str) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(3, 64)).astype(dtype)
    eps = np.finfo(dtype).eps
    wide = a.astype(np.longdouble) * b + c
    bound = eps * (np.abs(a * b) + np.abs(wide).astype(dtype))
    assert (np.abs(run("fma", dtype, 4, [a, b, c]) - wide) <= bound).all()


@pytest.mark.parametrize("lanes", [1, 8])
@pytest.mark.parametrize("source", ALL)
def test_casts(source: str, lanes: int) -> None:
    values = samples(source)
    for target in ALL:
        if np.dtype(source).kind == "f" and np.dtype(target).kind in "iu":
            values = np.array([0.0, 0.9, 1.5, 100.7, 127.0, -0.7], source)
            if np.dtype(target).kind == "i":
                values = np.append(values, np.array([-1.5, -100.2], source))
        body: Body = lambda e, args, to=target: prims.emit_cast(e, source, to, args[0])  # noqa: E731
        with np.errstate(all="ignore"):
            want = values.astype(target)
        got = native(body, [source], target, lanes)(values)
        np.testing.assert_array_equal(got, want, f"{source} -> {target}")


@pytest.mark.parametrize("target", [*INTS, *UINTS])
def test_casts_out_of_range_are_defined(target: str) -> None:
    body: Body = lambda e, args: prims.emit_cast(e, "float64", target, args[0])  # noqa: E731
    values = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300, 3.0])
    function = native(body, ["float64"], target, 4)
    first = function(values)
    assert first[-1] == 3
    np.testing.assert_array_equal(first, function(values))


def test_half_precision_rounds_through_a_cast() -> None:
    body: Body = lambda e, args: prims.emit_cast(  # noqa: E731
        e, "float16", "float32", prims.emit_cast(e, "float32", "float16", args[0])
    )
    x = np.array([0.1, 1e-8, 70000.0, 1.0009765625, 2049.0], "float32")
    with np.errstate(over="ignore"):
        want = x.astype("float16").astype("float32")
    np.testing.assert_array_equal(native(body, ["float32"], "float32", 4)(x), want)


def test_double_to_half_rounds_once() -> None:
    body: Body = lambda e, args: prims.emit_cast(e, "float64", "float16", args[0])  # noqa: E731
    rng = np.random.default_rng(4)
    near_ties = (1 + np.arange(0.5, 100) * 2.0**-10) * (1 + rng.choice([-1, 0, 1], 100) * 2.0**-40)
    x = np.concatenate([near_ties, rng.normal(size=200), [1e300, -1e-300, np.nan, 65519.999]])
    with np.errstate(over="ignore"):
        want = x.astype("float16")
    np.testing.assert_array_equal(native(body, ["float64"], "float16", 8)(x), want)


def memory_loop(dtype: str, write: Callable[[Emitter], None]) -> Callable[..., None]:
    e = Emitter(4)
    write(e)
    lines = "\n".join(e.lines)
    text = (
        f"{e.module_text()}\ndefine void @f(ptr %out, ptr %in, i64 %stride, ptr %flags) {{\n"
        f"{lines}\n  ret void\n}}\n"
    )
    module = compiler.compile_module(text, ["f"], {}, verify=True)
    kinds = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p]
    function = ctypes.CFUNCTYPE(None, *kinds)(module["f"])

    def call(out: np.ndarray, source: np.ndarray, stride: int, flags: np.ndarray) -> None:
        function(out.ctypes.data, source.ctypes.data, stride, flags.ctypes.data)
        assert module["f"]

    return call


@pytest.mark.parametrize("dtype", ALL)
def test_strided_and_masked_memory(dtype: str) -> None:
    source = np.arange(12).astype(dtype) if dtype != "bool" else np.arange(12) % 3 == 0
    size = source.itemsize
    flags = np.array([True, False, True, True])

    def masked(e: Emitter) -> None:
        mask = prims.emit_load(e, "bool", "%flags")
        value = prims.emit_masked_load(e, dtype, "%in", mask)
        prims.emit_masked_store(e, dtype, "%out", value, mask)

    def strided(e: Emitter) -> None:
        prims.emit_scatter(e, dtype, "%out", prims.emit_gather(e, dtype, "%in", "%stride"), -size)

    out = np.ones(12, dtype)
    memory_loop(dtype, masked)(out, source, 0, flags)
    np.testing.assert_array_equal(out[:4], np.where(flags, source[:4], np.ones(4, dtype)))
    np.testing.assert_array_equal(out[4:], np.ones(8, dtype))
    out = np.ones(12, dtype)
    memory_loop(dtype, strided)(out[3:], source, 3 * size, flags)
    np.testing.assert_array_equal(out[:4], source[::3][::-1])
    memory_loop(dtype, strided)(out[3:], source, 0, flags)
    np.testing.assert_array_equal(out[:4], np.full(4, source[0]))


def test_a_missing_spelling_names_the_file() -> None:
    with pytest.raises(MissingSpelling, match=r"backends/cpu/prims\.py"):
        prims.emit(Emitter(4), "no_such_thing", "float32", ["%a"])
    with pytest.raises(MissingSpelling, match="exp for int32"):
        prims.emit(Emitter(4), "exp", "int32", ["%a"])


MACHINES = [
    ("x86_64-unknown-linux-gnu", "x86-64-v2", ""),
    ("x86_64-unknown-linux-gnu", "haswell", "+avx2"),
    ("aarch64-unknown-linux-gnu", "generic", ""),
    ("arm64-apple-macosx", "apple-m1", ""),
    ("x86_64-pc-windows-msvc", "x86-64-v3", "+avx2"),
]


@pytest.mark.parametrize(("triple", "cpu", "features"), MACHINES)
def test_math_needs_no_library_on_any_machine(triple: str, cpu: str, features: str) -> None:
    from llvmlite import binding

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features="", opt=1, reloc="pic", codemodel="small"
    )
    texts, merged = [], Emitter(1, features=features)
    for name in [*INEXACT, "mod", "round", "rint", "max", "sign"]:
        for dtype in FLOATS:
            e = Emitter(prims.vector_width(dtype, features), merged)
            args = [prims.emit_load(e, dtype, f"%in{i}") for i in range(PRIMS[name].arity)]
            prims.emit_store(e, dtype, "%out", prims.emit(e, name, dtype, args))
            lines = "\n".join(e.lines)
            texts.append(
                f"define void @f_{name}_{dtype}(ptr %out, ptr %in0, ptr %in1) {{\nentry:\n{lines}\n"
                "  ret void\n}\n"
            )
    module = binding.parse_assembly("\n".join([merged.module_text(), *texts]))
    module.verify()
    assembly = machine.emit_assembly(module)
    called = set(re.findall(r"^\s+(?:callq?|bl)\s+([^\s#]+)", assembly, re.MULTILINE))
    internal = {re.sub(r'[_"@]*(th\.)', r"\1", name).strip('"') for name in called}
    assert internal
    assert all(name.startswith("th.") for name in internal), internal
