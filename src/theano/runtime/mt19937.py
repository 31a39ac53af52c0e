"""Uniform and normal numbers of NumPy's legacy ``RandomState``, bit for bit, several times faster.

The Mersenne Twister (M. Matsumoto, T. Nishimura, ACM TOMACS 8, 1998) is a linear recurrence over
words that lie at least 227 apart, so that it is computed in vectors. Uniforms have 53 bits of two
words; normals come from the polar method (G. Marsaglia, T. Bray, SIAM Review 6, 1964), with the
logarithm of the C library, whose last bits count.

Native code is made by whoever calls `attach`; before that, and where the first numbers differ from
NumPy's (another C library, contraction of products and sums), `fill` does nothing.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime import randomstate
from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from theano.runtime.support import Target

EXPORTS: Final = ("th_mt_uniform", "th_mt_normal")
GROUP: Final = "mt19937"
#: Fewer numbers than this are drawn by NumPy: handing the state over has its price.
LEAST: Final = 512

_N: Final = 624  # words of state
_BLOCKS: Final = 4  # states that are generated at once
_PAD: Final = 64  # elements behind each buffer that vectors may touch
_WORDS: Final = _N * (_BLOCKS + 1)
# Byte offsets of the parts of the working memory, and its size.
_DOUBLES_AT: Final = 4 * (_WORDS + _PAD)
_SQUARES_AT: Final = _DOUBLES_AT + 8 * (_WORDS // 2 + _PAD)
_LOGS_AT: Final = _SQUARES_AT + 8 * (_WORDS // 4 + _PAD)
_INDICES_AT: Final = _LOGS_AT + 8 * (_WORDS // 4 + _PAD)
_WORK: Final = _INDICES_AT + 4 * (_WORDS // 4 + _PAD)

_HEAD: Final = "i64 @{}(ptr %key, i64 %pos, ptr %work, ptr %out, i64 %n, double %low, double %scale"


def mt_ir(target: Target) -> str:
    """The LLVM IR of the samplers.

    ``i64 th_mt_uniform(ptr key, i64 pos, ptr work, ptr out, i64 n, double low, double scale,
    i64 single, ptr gauss)`` writes ``low + scale * u``, as float32 if ``single``, and returns the
    position; ``th_mt_normal`` writes normals; ``gauss`` holds, in two doubles, whether a number
    is left over from the last pair, and this number.
    """
    lanes = target.vector_bytes // 8
    words = 2 * lanes
    head = (
        "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"
        "declare double @th_libm_log(double)\n"
        f"declare <{lanes} x double> @llvm.sqrt.v{lanes}f64(<{lanes} x double>)\n"
    )
    parts = (_generate(words), _doubles(lanes), _accept(), _gauss(lanes), _emit(lanes))
    return head + "\n".join((*parts, _refill(), _Driver(False).text(), _Driver(True).text()))


def _splat(kind: str, lanes: int, value: object) -> str:
    return "<" + ", ".join([f"{kind} {value}"] * lanes) + ">"


def _generate(lanes: int) -> str:
    """Words ``_N`` to ``_WORDS`` from the first ``_N``, before tempering."""
    f = Function("internal void @mt_generate(ptr %words)")
    kind = f"<{lanes} x i32>"

    def load(i: str, offset: int) -> str:
        return f.op(
            f"load {kind}, ptr {f.at('i32', '%words', f.binary('add', i, offset))}, align 4"
        )

    def step(i: str) -> None:
        high = f.op(f"and {kind} {load(i, 0)}, {_splat('i32', lanes, -0x80000000)}")
        following = load(i, 1)
        low = f.op(f"and {kind} {following}, {_splat('i32', lanes, 0x7FFFFFFF)}")
        half = f.op(f"lshr {kind} {f.op(f'or {kind} {high}, {low}')}, {_splat('i32', lanes, 1)}")
        odd = f.op(f"and {kind} {following}, {_splat('i32', lanes, 1)}")
        mask = f.op(f"sub {kind} zeroinitializer, {odd}")
        twist = f.op(f"and {kind} {mask}, {_splat('i32', lanes, 0x9908B0DF - 2**32)}")
        new = f.op(f"xor {kind} {f.op(f'xor {kind} {load(i, 397)}, {half}')}, {twist}")
        f.do(f"store {kind} {new}, ptr {f.at('i32', '%words', f.binary('add', i, _N))}, align 4")

    f.each(0, _WORDS - _N, lanes, step)
    f.do("ret void")
    return f.text()


def _tempered(f: Function, kind: str, lanes: int, y: str) -> str:
    for shift, amount, mask in (
        ("lshr", 11, None), ("shl", 7, 0x9D2C5680), ("shl", 15, 0xEFC60000), ("lshr", 18, None),
    ):  # fmt: skip
        moved = f.op(f"{shift} {kind} {y}, {_splat('i32', lanes, amount)}")
        if mask is not None:
            signed = mask - 2**32 if mask >= 2**31 else mask
            moved = f.op(f"and {kind} {moved}, {_splat('i32', lanes, signed)}")
        y = f.op(f"xor {kind} {y}, {moved}")
    return y


def _doubles(lanes: int) -> str:
    """``count`` numbers in [0, 1) of 53 bits, from twice as many words."""
    f = Function("internal void @mt_doubles(ptr %words, i64 %count, ptr %out)")
    wide, half, real = f"<{2 * lanes} x i32>", f"<{lanes} x i32>", f"<{lanes} x double>"

    def part(y: str, first: int, shift: int) -> str:
        places = ", ".join(f"i32 {2 * i + first}" for i in range(lanes))
        picked = f.op(f"shufflevector {wide} {y}, {wide} poison, <{lanes} x i32> <{places}>")
        bits = f.op(f"lshr {half} {picked}, {_splat('i32', lanes, shift)}")
        return f.op(f"sitofp {half} {bits} to {real}")

    def step(i: str) -> None:
        source = f.at("i32", "%words", f.binary("shl", i, 1))
        y = _tempered(f, wide, 2 * lanes, f.op(f"load {wide}, ptr {source}, align 4"))
        high = f.op(f"fmul {real} {part(y, 0, 5)}, {_splat('double', lanes, float(2**26))}")
        whole = f.op(f"fadd {real} {high}, {part(y, 1, 6)}")
        value = f.op(f"fmul {real} {whole}, {_splat('double', lanes, _hex(2.0**-53))}")
        f.do(f"store {real} {value}, ptr {f.at('double', '%out', i)}, align 8")

    f.each(0, "%count", lanes, step)
    f.do("ret void")
    return f.text()


def _hex(value: float) -> str:
    return f"0x{np.float64(value).view(np.uint64):016X}"


def _accept() -> str:
    """Keep the points inside the unit circle: coordinates, squared radius, old position."""
    f = Function("internal i64 @mt_accept(ptr %points, i64 %count, ptr %squares, ptr %indices)")
    pair = "<2 x double>"

    def step(i: str, kept: list[str]) -> list[str]:
        source = f.at(pair, "%points", i)
        unit = f.op(f"load {pair}, ptr {source}, align 8")
        twice = f.op(f"fmul {pair} {unit}, {_splat('double', 2, 2.0)}")
        point = f.op(f"fadd {pair} {twice}, {_splat('double', 2, -1.0)}")
        squared = f.op(f"fmul {pair} {point}, {point}")
        first, second = (f.op(f"extractelement {pair} {squared}, i32 {k}") for k in (0, 1))
        total = f.op(f"fadd double {first}, {second}")
        f.do(f"store {pair} {point}, ptr {f.at(pair, '%points', kept[0])}, align 8")
        f.do(f"store double {total}, ptr {f.at('double', '%squares', kept[0])}, align 8")
        index = f.op(f"trunc i64 {i} to i32")
        f.do(f"store i32 {index}, ptr {f.at('i32', '%indices', kept[0])}, align 4")
        inside = f.both(
            f.op(f"fcmp olt double {total}, 1.0"), f.op(f"fcmp one double {total}, 0.0")
        )
        return [f.binary("add", kept[0], f.op(f"zext i1 {inside} to i64"))]

    (kept,) = f.loop(0, "%count", 1, [("i64", "0")], step)
    f.do(f"ret i64 {kept}")
    return f.text()


def _gauss(lanes: int) -> str:
    """Each point (x1, x2) becomes (f x2, f x1) with f² = -2 log(r²) / r²."""
    f = Function("internal void @mt_gauss(ptr %points, ptr %squares, ptr %logs, i64 %count)")
    real, wide = f"<{lanes} x double>", f"<{2 * lanes} x double>"

    def logarithm(i: str) -> None:
        value = f.op(f"load double, ptr {f.at('double', '%squares', i)}, align 8")
        log = f.op(f"call double @th_libm_log(double {value})")
        f.do(f"store double {log}, ptr {f.at('double', '%logs', i)}, align 8")

    def shuffled(kind: str, value: str, places: list[int]) -> str:
        mask = ", ".join(f"i32 {place}" for place in places)
        return f.op(f"shufflevector {kind} {value}, {kind} poison, <{len(places)} x i32> <{mask}>")

    def step(i: str) -> None:
        log, square = (
            f.op(f"load {real}, ptr {f.at('double', base, i)}, align 8")
            for base in ("%logs", "%squares")
        )
        top = f.op(f"fmul {real} {log}, {_splat('double', lanes, -2.0)}")
        ratio = f.op(f"fdiv {real} {top}, {square}")
        factor = f.op(f"call {real} @llvm.sqrt.v{lanes}f64({real} {ratio})")
        place = f.at("double", "%points", f.binary("shl", i, 1))
        points = f.op(f"load {wide}, ptr {place}, align 8")
        turned = shuffled(wide, points, [i ^ 1 for i in range(2 * lanes)])
        both = shuffled(real, factor, [i // 2 for i in range(2 * lanes)])
        f.do(f"store {wide} {f.op(f'fmul {wide} {both}, {turned}')}, ptr {place}, align 8")

    f.each(0, "%count", 1, logarithm)
    f.each(0, "%count", lanes, step)
    f.do("ret void")
    return f.text()


def _emit(lanes: int) -> str:
    """``out[start + i] = low + scale * values[i]``, as double or float."""
    f = Function(
        "internal void @mt_emit(ptr %values, i64 %n, ptr %out, i64 %start, double %low, "
        "double %scale, i64 %single)"
    )
    whole = f.binary("and", "%n", -lanes)

    def spread(value: str, width: int) -> str:
        if width == 1:
            return value
        kind = f"<{width} x double>"
        one = f.op(f"insertelement {kind} poison, double {value}, i32 0")
        return f.op(f"shufflevector {kind} {one}, {kind} poison, <{width} x i32> zeroinitializer")

    def run(width: int, first: str | int, stop: str, single: bool) -> None:
        real, short = ("double", "float")
        if width > 1:
            real, short = f"<{width} x double>", f"<{width} x float>"
        low, scale = spread("%low", width), spread("%scale", width)

        def step(i: str) -> None:
            value = f.op(f"load {real}, ptr {f.at('double', '%values', i)}, align 8")
            value = f.op(f"fadd {real} {low}, {f.op(f'fmul {real} {scale}, {value}')}")
            place = f.binary("add", "%start", i)
            if single:
                value = f.op(f"fptrunc {real} {value} to {short}")
                f.do(f"store {short} {value}, ptr {f.at('float', '%out', place)}, align 4")
            else:
                f.do(f"store {real} {value}, ptr {f.at('double', '%out', place)}, align 8")

        f.each(first, stop, width, step)

    def both(single: bool) -> None:
        run(lanes, 0, whole, single)
        run(1, whole, "%n", single)

    f.when(f.op("icmp ne i64 %single, 0"), lambda: both(True), lambda: both(False))
    f.do("ret void")
    return f.text()


def _copy_state(f: Function, to: str, source: str) -> None:
    f.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {4 * _N}, i1 false)")


def _refill() -> str:
    """Move the last state to the front and generate more; the new place of word ``p``."""
    f = Function("internal i64 @mt_refill(ptr %words, i64 %p, i64 %end)")
    last = f.binary("sub", "%end", _N)
    moved = f.op(f"icmp ne i64 {last}, 0")
    f.when(moved, lambda: _copy_state(f, "%words", f.at("i32", "%words", last)))
    f.do("call void @mt_generate(ptr %words)")
    f.do(f"ret i64 {f.binary('sub', '%p', last)}")
    return f.text()


class _Driver:
    """Writes an exported function: the loop that refills words and draws from them."""

    def __init__(self, normal: bool) -> None:
        self.normal = normal
        name = EXPORTS[1] if normal else EXPORTS[0]
        self.f = f = Function(f"{_HEAD.format(name)}, i64 %single, ptr %gauss)")
        offsets = (_DOUBLES_AT, _SQUARES_AT, _LOGS_AT, _INDICES_AT)
        self.doubles, self.squares, self.logs, self.indices = (
            f.at("i8", "%work", offset) for offset in offsets
        )
        self.p, self.end, self.done, self.used = (f.op("alloca i64") for _ in range(4))
        self.left = ""

    def _get(self, slot: str) -> str:
        return self.f.op(f"load i64, ptr {slot}")

    def _set(self, slot: str, value: str | int) -> None:
        self.f.do(f"store i64 {value}, ptr {slot}")

    def _emit(self, values: str, count: str) -> None:
        done = self._get(self.done)
        self.f.do(
            f"call void @mt_emit(ptr {values}, i64 {count}, ptr %out, i64 {done}, "
            "double %low, double %scale, i64 %single)"
        )
        self._set(self.done, self.f.binary("add", done, count))

    def text(self) -> str:
        """The function."""
        f = self.f
        for slot, value in ((self.p, "%pos"), (self.end, _N), (self.done, 0)):
            self._set(slot, value)
        _copy_state(f, "%work", "%key")
        if self.normal:
            self._left_over()
        f.do("br label %top")
        f.start("top")
        self.left = f.binary("sub", "%n", self._get(self.done))
        f.do(f"br i1 {f.op(f'icmp sgt i64 {self.left}, 0')}, label %more, label %finish")
        f.start("more")
        p, end = self._get(self.p), self._get(self.end)
        available = f.binary("lshr", f.binary("sub", end, p), 2 if self.normal else 1)
        f.do(f"br i1 {f.op(f'icmp eq i64 {available}, 0')}, label %refill, label %draw")
        f.start("refill")
        self._set(self.p, f.op(f"call i64 @mt_refill(ptr %work, i64 {p}, i64 {end})"))
        self._set(self.end, _WORDS)
        f.do("br label %top")
        f.start("draw")
        source = f.at("i32", "%work", p)
        draw = self._normals if self.normal else self._uniforms
        count, taken = draw(source, available)
        self._set(self.p, f.binary("add", p, taken))
        self._emit(self.doubles, count)
        f.do("br label %top")
        f.start("finish")
        last = self._get(self.p)
        before = f.smax(f.binary("sub", last, 1), 0)
        block = f.binary("mul", f.binary("sdiv", before, _N), _N)
        _copy_state(f, "%key", f.at("i32", "%work", block))
        f.do(f"ret i64 {f.binary('sub', last, block)}")
        return f.text()

    def _left_over(self) -> None:
        """Begin with the number that the last pair left."""
        f = self.f
        kept = f.op(f"fcmp one double {f.op('load double, ptr %gauss, align 8')}, 0.0")

        def use() -> None:
            self._emit(f.at("double", "%gauss", 1), "1")
            f.do("store <2 x double> zeroinitializer, ptr %gauss, align 8")

        f.when(f.both(kept, f.op("icmp sgt i64 %n, 0")), use)

    def _uniforms(self, source: str, available: str) -> tuple[str, str]:
        f = self.f
        count = f.smin(available, self.left)
        f.do(f"call void @mt_doubles(ptr {source}, i64 {count}, ptr {self.doubles})")
        return count, f.binary("shl", count, 1)

    def _normals(self, source: str, available: str) -> tuple[str, str]:
        """How many numbers were made, and of how many words; rejected points count."""
        f, points = self.f, self.doubles
        both = f.binary("shl", available, 1)
        f.do(f"call void @mt_doubles(ptr {source}, i64 {both}, ptr {points})")
        arguments = f"ptr {points}, i64 {available}, ptr {self.squares}, ptr {self.indices}"
        accepted = f.op(f"call i64 @mt_accept({arguments})")
        need = f.binary("lshr", f.binary("add", self.left, 1), 1)
        pairs = f.smin(accepted, need)
        self._set(self.used, available)

        def cut() -> None:
            last = f.at("i32", self.indices, f.binary("sub", need, 1))
            index = f.op(f"zext i32 {f.op(f'load i32, ptr {last}, align 4')} to i64")
            self._set(self.used, f.binary("add", index, 1))

        f.when(f.op(f"icmp sle i64 {need}, {accepted}"), cut)
        arguments = f"ptr {points}, ptr {self.squares}, ptr {self.logs}, i64 {pairs}"
        f.do(f"call void @mt_gauss({arguments})")
        whole = f.binary("shl", pairs, 1)
        count = f.smin(whole, self.left)

        def keep() -> None:
            f.do("store double 1.0, ptr %gauss, align 8")
            rest = f.op(f"load double, ptr {f.at('double', points, count)}, align 8")
            f.do(f"store double {rest}, ptr {f.at('double', '%gauss', 1)}, align 8")

        f.when(f.op(f"icmp slt i64 {count}, {whole}"), keep)
        return count, f.binary("shl", self._get(self.used), 2)


# calling it -----------------------------------------------------------------------------------

_provider: list[Callable[[], Mapping[str, int]]] = []


def attach(provider: Callable[[], Mapping[str, int]]) -> None:
    """Say who compiles: ``provider()`` gives the addresses of `EXPORTS`."""
    _provider[:] = [provider]
    _samplers.cache_clear()


def imports() -> Mapping[str, int]:
    """The C library's logarithm, under the name that the text gives it."""
    return {"th_libm_log": ctypes.cast(_math_library().log, ctypes.c_void_p).value or 0}


def _math_library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(None)
        library.log  # noqa: B018  (asks whether it is there)
    except (AttributeError, OSError, TypeError):
        from ctypes.util import find_library  # (slow to import)

        library = ctypes.CDLL(find_library("m") or "ucrtbase")
    return library


@functools.cache
def _samplers() -> Mapping[str, Any]:
    """Name to native function, if what they draw is what NumPy draws; else nothing."""
    if not _provider:
        return {}
    word, real = ctypes.c_void_p, ctypes.c_double
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int64, word, ctypes.c_int64, word, word, ctypes.c_int64, real, real,
        ctypes.c_int64, word,
    )  # fmt: skip
    try:
        addresses = _provider[0]()
    except RuntimeError:  # there is no compiler
        return {}
    found = {name: kind(addresses[f"th_mt_{name}"]) for name in ("uniform", "normal")}
    return found if _agrees(found) else {}


def _agrees(samplers: Mapping[str, Any]) -> bool:
    """Whether the first thousands of numbers, and the states after them, are NumPy's."""
    for name, size in (("uniform", 3001), ("normal", 20001)):
        mine, his = np.random.RandomState(20), np.random.RandomState(20)
        out = np.empty(size)
        _run(samplers[name], mine, out, 0.5, 1.5)
        expected = his.normal(0.5, 1.5, size) if name == "normal" else his.uniform(0.5, 2.0, size)
        states = (mine.get_state(), his.get_state())
        same = all(np.array_equal(a, b) for a, b in zip(*states, strict=True))
        if not (same and out.tobytes() == expected.tobytes()):
            return False
    return True


def fill(state: Any, name: str, out: Any, low: float, scale: float) -> bool:
    """Fill ``out`` with what ``state`` would draw, and advance it; False if nothing was done.

    Parameters
    ----------
    state
        A `numpy.random.RandomState`.
    name
        ``"uniform"``: ``low + scale * u``, u in [0, 1); ``"normal"``: mean and standard deviation.
    out
        C-contiguous float32 or float64 array.
    """
    if out.size < LEAST:
        return False
    sampler = _samplers().get(name)
    return sampler is not None and _run(sampler, state, out, low, scale)


def _run(sampler: Any, state: Any, out: Any, low: float, scale: float) -> bool:
    with randomstate.memory(state) as memory:
        if memory is not None:
            _run_in_place(sampler, memory, out, low, scale)
            return True
    values = state.get_state(legacy=False)
    if values["bit_generator"] != "MT19937":
        return False
    inner = values["state"]
    gauss = np.array([values["has_gauss"], values["gauss"]], np.float64)
    key = inner["key"]
    inner["pos"] = _call(sampler, key.ctypes.data, inner["pos"], out, low, scale, gauss)
    values["has_gauss"], values["gauss"] = int(gauss[0]), float(gauss[1])
    state.set_state(values)
    return True


def _run_in_place(
    sampler: Any, memory: randomstate.Memory, out: Any, low: float, scale: float
) -> None:
    pos = ctypes.c_int32.from_address(memory.pos)
    has = ctypes.c_int32.from_address(memory.has_gauss)
    left = ctypes.c_double.from_address(memory.gauss)
    gauss = np.array([has.value, left.value], np.float64)
    pos.value = _call(sampler, memory.key, pos.value, out, low, scale, gauss)
    has.value, left.value = int(gauss[0]), float(gauss[1])


def _call(sampler: Any, key: int, pos: int, out: Any, low: float, scale: float, gauss: Any) -> int:
    work = np.empty(_WORK, np.uint8)
    found: int = sampler(
        key, pos, work.ctypes.data, out.ctypes.data, out.size, low, scale,
        int(out.dtype == np.float32), gauss.ctypes.data,
    )  # fmt: skip
    return found
