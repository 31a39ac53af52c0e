"""Constructors of variables: prefixes, patterns, names, plurals, groups."""

import pytest

import theano.tensor as T
from theano.core.config import change_flags
from theano.tensor.types import PATTERNS, PLURALS, PREFIXES

ALL = [(p, k) for p in PREFIXES for k in PATTERNS]


@pytest.mark.parametrize(("prefix", "kind"), ALL)
def test_prefixed_names_are_types(prefix, kind):
    made = getattr(T, prefix + kind)
    assert isinstance(made, T.TensorType)
    variable = made("name")
    assert (variable.name, variable.dtype) == ("name", PREFIXES[prefix])
    assert variable.broadcastable == PATTERNS[kind]
    assert made().name is None


@pytest.mark.parametrize("kind", PATTERNS)
def test_plain_names_follow_floatx_at_the_call(kind):
    make = getattr(T, kind)
    for floatx in ("float32", "float64"):
        with change_flags(floatX=floatx):
            assert make("x").type == T.TensorType(floatx, PATTERNS[kind])
    assert make("x", dtype="uint8").dtype == "uint8"
    assert make(dtype="bool").name is None


@pytest.mark.parametrize("prefix", ["", *"fdil"])
@pytest.mark.parametrize("kind", PATTERNS)
def test_plurals(prefix, kind):
    make = getattr(T, prefix + PLURALS[kind])
    two = make("first", "second")
    assert [v.name for v in two] == ["first", "second"]
    wanted = PREFIXES.get(prefix, "float64")
    assert all(v.type == T.TensorType(wanted, PATTERNS[kind]) for v in two)


def test_plural_of_a_number_has_no_names():
    three = T.vectors(3)
    assert [v.name for v in three] == [None] * 3
    assert len(set(three)) == 3


def test_plural_of_one_string_is_one_name_per_letter():
    assert [v.name for v in T.vectors("abc")] == ["a", "b", "c"]


def test_plural_of_a_list_of_names():
    assert [v.name for v in T.ivectors(["left", "right"])] == ["left", "right"]


@pytest.mark.parametrize("argument", ["x", 1, ["long name"]])
def test_plural_of_one_is_a_bare_variable(argument):
    assert isinstance(T.matrices(argument), T.TensorVariable)


@pytest.mark.parametrize("arguments", [(), (1.5,), ("x", 2)])
def test_plural_refuses_what_is_no_name(arguments):
    with pytest.raises(TypeError, match="matrices"):
        T.matrices(*arguments)


def test_row_and_col_stretch():
    assert T.row().broadcastable == (True, False)
    assert T.col().broadcastable == (False, True)
    assert T.matrix().broadcastable == (False, False)


def test_tensor_takes_any_dtype_and_pattern():
    x = T.tensor("bool", (False, True, False), "mask")
    assert (x.name, x.dtype, x.broadcastable) == ("mask", "bool", (False, True, False))
    with change_flags(floatX="float32"):
        assert T.tensor("floatX", ()).dtype == "float32"


@pytest.mark.parametrize("dtype", ["object", "str", "float128", "int7"])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match=dtype):
        T.tensor(dtype, ())


def test_text_of_types():
    assert str(T.fmatrix) == "TensorType(float32, matrix)"
    assert str(T.dtensor4) == "TensorType(float64, 4D)"
    assert str(T.TensorType("int8", (True, False, True))) == (
        "TensorType(int8, (True, False, True))"
    )
    assert [str(t).split(", ")[1][:-1] for t in (T.irow, T.icol)] == ["row", "col"]


def test_groups():
    assert T.int_types == (T.bscalar, T.wscalar, T.iscalar, T.lscalar)
    assert T.float_matrix_types == (T.fmatrix, T.dmatrix)
    assert T.complex_vector_types == (T.cvector, T.zvector)
    assert "bool" in T.discrete_dtypes
    assert "bool" not in T.integer_dtypes
    assert set(T.all_dtypes) == {*T.discrete_dtypes, *T.float_dtypes, *T.complex_dtypes}


def test_equal_types_ignore_names():
    assert T.TensorType("float32", (False,), name="mine") == T.fvector
    assert hash(T.TensorType("float32", (False,), name="mine")) == hash(T.fvector)
