"""Casting tables: Theano's own, pinned value by value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theano.core import dtypes
from theano.core.config import change_flags


def test_groups() -> None:
    assert len(dtypes.all_dtypes) == 14
    assert "bool" in dtypes.discrete_dtypes
    assert "bool" not in dtypes.integer_dtypes
    assert set(dtypes.discrete_dtypes) | set(dtypes.continuous_dtypes) == set(dtypes.all_dtypes)


@pytest.mark.parametrize(
    ("operands", "result"),
    [
        (("int32", "float32"), "float64"),
        (("int16", "float32"), "float32"),
        (("uint64", "int64"), "float64"),
        (("int8", "uint8"), "int16"),
        (("bool", "bool"), "bool"),
        (("bool", "int8"), "int8"),
        (("float16", "float32"), "float32"),
        (("int8", "float16"), "float16"),
        (("float64", "complex64"), "complex128"),
        (("float32",), "float32"),
    ],
)
def test_upcast(operands: tuple[str, ...], result: str) -> None:
    assert dtypes.upcast(*operands) == result
    with change_flags(floatX="float32"):
        assert dtypes.upcast(*operands) == result


def test_upcast_keeps_float32_under_the_other_policy() -> None:
    with change_flags(floatX="float32", cast_policy="numpy+floatX"):
        assert dtypes.upcast("int32", "float32") == "float32"
        assert dtypes.upcast("float64", "float32") == "float64"
    assert dtypes.upcast("int32", "float32") == "float64"


@given(st.lists(st.sampled_from(dtypes.all_dtypes), min_size=1, max_size=4))
def test_upcast_is_what_adding_arrays_gives(names: list[str]) -> None:
    total = np.zeros((), names[0])
    for name in names[1:]:
        total = np.asarray(total) + np.zeros((), name)
    assert dtypes.upcast(*names) == np.asarray(total).dtype.name


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (0, "int8"), (127, "int8"), (-128, "int8"), (128, "int16"), (-129, "int16"),
        (32767, "int16"), (32768, "int32"), (2**31 - 1, "int32"), (2**31, "int64"),
        (-(2**31) - 1, "int64"), (2**63 - 1, "int64"), (-(2**63), "int64"), (2**63, "uint64"),
        (2**64 - 1, "uint64"), (True, "bool"),
        (0.5, "float32"), (0.1, "float64"), (1e300, "float64"), (float("inf"), "float32"),
        (float("nan"), "float64"), (-0.0, "float32"), (1j, "complex128"),
        (np.float64(0.5), "float64"), (np.float32(0.1), "float32"), (np.int16(3), "int16"),
        (np.bool_(True), "bool"), (np.uint8(1), "uint8"),
    ],
)  # fmt: skip
def test_literals(value: object, result: str) -> None:
    assert dtypes.literal_dtype(value) == result


@given(st.integers(-(2**63), 2**64 - 1))
def test_integer_literals_take_the_smallest_dtype(value: int) -> None:
    name = dtypes.int_literal_dtype(value)
    assert int(np.array(value, name)) == value
    signed = (*dtypes.int_dtypes, "uint64")
    for other in signed[: signed.index(name)]:
        info = np.iinfo(other)
        assert not info.min <= value <= info.max


@given(st.floats(allow_nan=False))
def test_float_literals_are_exact(value: float) -> None:
    assert float(np.array(value, dtypes.float_literal_dtype(value))) == value


def test_float_literals_follow_floatx() -> None:
    for name in ("float32", "float16"):
        with change_flags(floatX=name):
            assert dtypes.literal_dtype(0.1) == name
            assert dtypes.literal_dtype(np.float64(0.1)) == "float64"


def test_literals_under_numpy_policies() -> None:
    with change_flags(floatX="float32", cast_policy="numpy+floatX"):
        assert (dtypes.literal_dtype(1), dtypes.literal_dtype(0.5)) == ("int64", "float32")
        assert dtypes.literal_dtype(2**63) == "uint64"
    with change_flags(floatX="float32", cast_policy="numpy"):
        assert (dtypes.literal_dtype(1), dtypes.literal_dtype(0.5)) == ("int64", "float64")


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1])
@pytest.mark.parametrize("policy", ["custom", "numpy"])
def test_integers_that_nothing_holds(value: int, policy: str) -> None:
    with change_flags(cast_policy=policy), pytest.raises(OverflowError, match=str(value)):
        dtypes.literal_dtype(value)


def test_not_a_number() -> None:
    with pytest.raises(TypeError, match="'one'"):
        dtypes.literal_dtype("one")


@pytest.mark.parametrize("name", dtypes.all_dtypes)
def test_tables_have_a_row_for_every_dtype(name: str) -> None:
    small = name in ("bool", "int8", "int16", "uint8", "uint16")
    discrete = name in dtypes.discrete_dtypes
    upgraded = ("float32" if small else "float64") if discrete else name
    assert dtypes.upgrade_to_float(name) == upgraded
    summed = np.sum(np.zeros(1, name)).dtype.name
    assert dtypes.SUM_OUTPUT[name] == summed
    wider = {"float16": "float32", "float32": "float64", "complex64": "complex128"}
    assert dtypes.SUM_ACCUMULATOR[name] == wider.get(name, summed)
    assert dtypes.MEAN_OUTPUT[name] == ("float64" if discrete else name)
    assert dtypes.REAL_OF[name] == np.zeros(1, name).real.dtype.name
    assert dtypes.NO_BOOL[name] == ("int8" if name == "bool" else name)
    assert dtypes.gradient_dtype(name) == ("float64" if discrete else name)
    assert dtypes.ITEMSIZE[name] == np.dtype(name).itemsize


def test_division_of_integers_is_floatx() -> None:
    assert dtypes.true_div_dtype("int8", "int64") == "float64"
    with change_flags(floatX="float32"):
        assert dtypes.true_div_dtype("int64", "int64") == "float32"
        assert dtypes.true_div_dtype("int64", "float32") == "float64"
        assert dtypes.gradient_dtype("int64") == "float32"


def test_canonical_names() -> None:
    for given_, name in ((np.float32, "float32"), ("<f4", "float32"), (bool, "bool")):
        assert dtypes.dtype_name(given_) == name
    assert dtypes.dtype_name(np.dtype("int64")) == "int64"
    with change_flags(floatX="float16"):
        assert dtypes.dtype_name("floatX") == "float16"
        assert dtypes.promote("floatX", "int8") == "float16"
    assert dtypes.promote("floatX", "int8") == "float64"


@pytest.mark.parametrize(
    "bad", ["object", "str", "S3", "float7", object, None, "datetime64[s]", []]
)
def test_dtypes_that_tensors_cannot_have(bad: object) -> None:
    with pytest.raises(TypeError, match="Unsupported dtype"):
        dtypes.dtype_name(bad)


def test_float64_can_be_watched() -> None:
    dtypes.complain_float64()
    with change_flags(warn_float64="warn"), pytest.warns(UserWarning, match="float64"):
        dtypes.complain_float64()
    with change_flags(warn_float64="raise"), pytest.raises(TypeError, match="float64"):
        dtypes.complain_float64()
