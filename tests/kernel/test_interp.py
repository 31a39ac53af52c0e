"""The kernel interpreter against loops in plain Python."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theano.kernel import interp, ir, prims
from theano.kernel.build import Builder
from theano.kernel.text import parse
from theano.kernel.verify import verify

REDUCERS = {
    "add": lambda values: sum(values, 0), "mul": lambda values: int(np.prod([1, *values])),
    "max": max, "min": min, "argmax": lambda values: values.index(max(values)),
    "argmin": lambda values: values.index(min(values)),
}  # fmt: skip
extents = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 3))


def array(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).integers(-4, 5, shape)


def affine_map(order: tuple[int, ...]) -> ir.Kernel:
    """``z[i, j, k] = x[permuted] * y[j] + i``."""
    axes = ("a0", "a1", "a2")
    x = ir.Operand("x", "int64", tuple(axes[i] for i in sorted(order)))
    y = ir.Operand("y", "int64", ("a1",))
    z = ir.Operand("z", "int64", axes, "out")
    k = Builder()
    k.store(z, k.load(x) * k.load(y) + k.index("a0"))
    return verify(ir.Kernel("m", axes, (), (x, y, z), (), (ir.Stage("each", tuple(k.statements)),)))


@given(extents, st.permutations(range(3)), st.integers(0, 99))
def test_a_map(sizes, order, seed):
    shape = [0, 0, 0]
    for axis, d in enumerate(order):
        shape[d] = sizes[axis]
    x, y = array(seed, *shape), array(seed + 1, sizes[1])
    z = np.zeros(sizes, dtype="int64")
    interp.run(
        affine_map(tuple(order)),
        sizes,
        [x, y, z],
        [tuple(order), (None, 0, None), (0, 1, 2)],
        [()] * 3,
    )
    for i, j, k in itertools.product(*map(range, sizes)):
        where = [0, 0, 0]
        for axis, d in enumerate(order):
            where[d] = (i, j, k)[axis]
        assert z[i, j, k] == x[tuple(where)] * y[j] + i


@given(extents, st.sampled_from(sorted(REDUCERS)), st.integers(0, 2), st.integers(0, 99))
def test_a_reduction_and_a_map_of_its_rows(sizes, kind, outer, seed):
    """``r = reduce(x over inner); z = x - r``, with one to three inner axes."""
    axes = ("a0", "a1", "a2")
    inner_count = int(np.prod(sizes[outer:]))
    if inner_count == 0 and kind not in ("add", "mul"):
        return
    x = ir.Operand("x", "int64", axes)
    r = ir.Operand("r", "int64", axes[:outer], "out")
    z = ir.Operand("z", "int64", axes, "out")
    first, middle, last = Builder("f"), Builder("m"), Builder("l")
    done = first.accumulate(kind, first.load(x))
    middle.store(r, middle.value(done.name, "int64"))
    last.store(z, last.load(x) - last.value(done.name, "int64"))
    kernel = verify(ir.Kernel("r", axes[:outer], axes[outer:], (x, r, z), (), (
        ir.Stage("loop", tuple(first.statements)), ir.Stage("each", tuple(middle.statements)),
        ir.Stage("loop", tuple(last.statements)),
    )))  # fmt: skip
    data = array(seed, *sizes)
    rows, out = np.zeros(sizes[:outer], "int64"), np.zeros(sizes, "int64")
    every = (0, 1, 2)
    moves = tuple(i if i < outer else None for i in every)
    interp.run(kernel, sizes, [data, rows, out], [every, moves, every], [()] * 3)
    for point in np.ndindex(*sizes[:outer]):
        wanted = REDUCERS[kind]([int(v) for v in data[point].ravel()])
        assert rows[point] == wanted
        np.testing.assert_array_equal(out[point], data[point] - wanted)


GATHER = parse("""kernel g (a0 a1 | ) {
  in i : int32 [a0]
  in x : int64 [a1] gather 1
  out z : int64 [a0 a1]
  each {
    v1 = load i : int32
    v2 = cast v1 : int64
    v3 = load x [v2] : int64
    store z v3
  }
}""")
SCATTER = parse("""kernel s (a0 a1 | ) serial a0 {
  in i : int64 [a0]
  in y : int64 [a0 a1]
  scatter x : int64 [a1] gather 1
  each {
    v1 = load i : int64
    v2 = load y : int64
    add x [v1] v2
  }
}""")


@given(st.lists(st.integers(-3, 2), max_size=5), st.integers(0, 3), st.integers(0, 99))
def test_gathers_and_scatters(index, width, seed):
    x, out = array(seed, 3, width), np.zeros((len(index), width), "int64")
    positions = np.array(index, dtype="int64")
    interp.run(
        verify(GATHER), out.shape, [positions.astype("int32"), x, out],
        [(0, None), (None, 1), (0, 1)], [(), (0,), ()],
    )  # fmt: skip
    assert out.tolist() == [x[i].tolist() for i in index]
    y, found = array(seed + 1, len(index), width), x.copy()
    interp.run(
        verify(SCATTER),
        y.shape,
        [positions, y, found],
        [(0, None), (0, 1), (None, 1)],
        [(), (), (0,)],
    )
    wanted = x.copy()
    for i, row in zip(index, y, strict=True):
        wanted[i] += row
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("bad", [3, -4])
def test_an_index_out_of_range(bad):
    arrays = [np.array([0, bad], "int32"), array(1, 3, 2), np.zeros((2, 2), "int64")]
    with pytest.raises(interp.KernelError, match="out of range"):
        interp.run(GATHER, (2, 2), arrays, [(0, None), (None, 1), (0, 1)], [(), (0,), ()])


@pytest.mark.parametrize("prim", ["idiv", "mod"])
def test_integer_division_by_zero(prim):
    kernel = verify(
        parse(f"""kernel d (a0 | ) {{
  in x : int32 [a0]
  out z : int32 [a0]
  scalar s : int32
  each {{
    v1 = load x : int32
    v2 = {prim} s v1 : int32
    store z v2
  }}
}}""")
    )
    for values, fails in (([1, 2], False), ([1, 0], True), ([], False)):
        x = np.array(values, "int32")
        out = np.zeros_like(x)
        run = [(kernel, (len(values),), [x, out], [(0,), (0,)], [(), ()], [7])]
        if fails:
            with pytest.raises(interp.KernelError, match="division by zero"):
                interp.run(*run[0])
        else:
            interp.run(*run[0])
            np.testing.assert_array_equal(out, prims.evaluate(prim, (np.int32(7), x), "int32"))


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0.0, -1.5, 2.5, np.nan, np.inf]), min_size=1, max_size=5))
def test_nan_wins_and_float16_is_storage(values):
    kernel = verify(
        parse("""kernel f ( | a0) {
  in x : float16 [a0]
  out most : float16 []
  out where : int64 []
  loop {
    v1 = load x : float32
    v2 = accumulate max v1 : float32
    v3 = accumulate argmax v1 : int64
  }
  each {
    store most v2
    store where v3
  }
}""")
    )
    x = np.array(values, "float16")
    most, where = np.zeros((), "float16"), np.zeros((), "int64")
    interp.run(kernel, (len(x),), [x, most, where], [(0,), (None,), (None,)], [()] * 3)
    np.testing.assert_array_equal(most, x.max())
    assert where == np.argmax(x)
