"""Small things of Theano's that few programs need: they do what they did, or say what does."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano import scalar
from theano.graph.enum_types import CDataType, CEnumType, EnumList, EnumType


class ShiftLeft(scalar.BinaryBitOp):
    def impl(self, x: Any, y: Any) -> Any:
        return x << y


class Near(scalar.LogicalComparison):
    def impl(self, x: Any, y: Any) -> Any:
        return abs(x - y) < 0.5


def test_bit_operations_of_users() -> None:
    shift = T.Elemwise(ShiftLeft())
    x, y = T.lvector("x"), T.bscalar("y")
    assert shift(x, y).dtype == "int64"
    f = theano.function([x, y], shift(x, y))
    assert f([1, 2, 3], 4).tolist() == [16, 32, 48]
    with pytest.raises(TypeError, match="integers"):
        shift(T.dvector(), y)


def test_comparisons_of_users_have_zero_gradients() -> None:
    x = T.dvector("x")
    near = T.Elemwise(Near())(x, 1.0)
    assert near.dtype == "bool"
    cost = T.switch(near, x, 3 * x).sum()
    f = theano.function([x], [near, theano.grad(cost, x)])
    marks, slope = f([1.2, 2.0])
    assert marks.tolist() == [True, False]
    assert slope.tolist() == [1, 3]


def test_library_ops_are_of_these_kinds() -> None:
    assert isinstance(scalar.lt, scalar.LogicalComparison)
    assert isinstance(scalar.isnan, scalar.FixedLogicalComparison)
    assert isinstance(scalar.and_, scalar.BinaryBitOp)
    assert isinstance(scalar.invert, scalar.UnaryBitOp)
    assert not isinstance(scalar.add, scalar.LogicalComparison)


def test_sympy_code_says_what_to_do() -> None:
    from theano.scalar.basic_sympy import SymPyCCode

    with pytest.raises(NotImplementedError, match="lambdify"):
        SymPyCCode([], None)


def test_default_of_an_optional_input() -> None:
    x, a = theano.generic("x"), T.dvector("a")
    f = theano.function([x, a], T.default(x, a) * 2)
    assert f(None, [1.0]).tolist() == [2]
    assert f(np.array([5.0, 6.0]), [1.0]).tolist() == [10, 12]
    with pytest.raises(TypeError):
        f("text", [1.0])
    given = np.ones(2)
    kept = theano.function([x, a], T.default(x, a))(given, [1.0])
    assert not np.shares_memory(kept, given)


def test_default_of_what_is_known() -> None:
    v = T.dvector("v")
    assert T.default(v, T.dvector()) is v
    assert T.default(None, v) is v
    assert T.setdefault is T.default
    with pytest.raises(TypeError, match="default"):
        T.default(T.fvector(), v)


def test_enumerations() -> None:
    kind = EnumType(ADD=1, MUL=2.5)
    assert (kind.ADD, kind["MUL"], len(kind)) == (1, 2.5, 2)
    assert kind.filter("MUL") == kind.filter(2.5) == 2.5
    assert kind == EnumType(MUL=2.5, ADD=1)
    assert hash(kind) == hash(EnumType(MUL=2.5, ADD=1))
    assert kind != EnumType(ADD=1)
    assert pickle.loads(pickle.dumps(kind)) == kind
    for wrong in ("DIV", 7, None):
        with pytest.raises(TypeError, match="ADD, MUL"):
            kind.filter(wrong)
    with pytest.raises(AttributeError, match="DIV"):
        kind.DIV  # noqa: B018
    with pytest.raises(AttributeError, match="capital"):
        EnumType(add=1)


def test_numbered_names_with_aliases() -> None:
    kind = EnumList(("SAME", "same"), "FULL")
    assert (kind.SAME, kind.FULL, kind.fromalias("same")) == (0, 1, 0)
    assert kind.get_aliases() == ("same",)
    assert kind.has_alias("same")
    assert pickle.loads(pickle.dumps(kind)) == kind
    with pytest.raises(AttributeError, match="twice"):
        EnumList("A", "A")
    with pytest.raises(NotImplementedError, match="EnumList"):
        CEnumType("CUDNN_SOMETHING")


def test_enumerations_are_inputs_of_functions() -> None:
    kind = EnumList("A", "B")
    chosen = kind("chosen")
    f = theano.function([chosen], chosen)
    assert f("B") == 1
    with pytest.raises(TypeError, match="A, B"):
        f("C")


def test_pointers_to_c_objects() -> None:
    import datetime

    kind = CDataType("PyDateTime_CAPI*")
    capsule = datetime.datetime_CAPI  # type: ignore[attr-defined]
    assert kind.filter(capsule) is capsule
    assert kind.filter(None) is None
    assert kind == CDataType("PyDateTime_CAPI*")
    with pytest.raises(TypeError, match="PyCapsule"):
        kind.filter(3)


def test_output_guard_is_a_view() -> None:
    from theano.compile.ops import OutputGuard

    x = T.dvector("x")
    f = theano.function([x], OutputGuard()(x) + 1)
    assert f([1.0]).tolist() == [2]
