"""Rows of comparisons, tests and bitwise logic. Their results are discrete: gradients are zero."""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.ops.scalar import ScalarRow, as_given, bool_out, integers_out, shifts_out, to_upcast


def _compare(name: str, ref: Any, prim: str, infix: str, commutative: bool = False) -> ScalarRow:
    return ScalarRow(
        name, 2, bool_out, ref, lambda k, x, y: k.apply(prim, x, y), operands=to_upcast,
        commutative=commutative, infix=(infix, -3, "none"),
    )  # fmt: skip


def _bitwise(name: str, ref: Any, prim: str, infix: str) -> ScalarRow:
    return ScalarRow(
        name, 2, integers_out, ref, lambda k, x, y: k.apply(prim, x, y), commutative=True,
        associative=True, infix=(infix, -3, "either"),
    )  # fmt: skip


def _shift(name: str, ref: Any, prim: str, infix: str) -> ScalarRow:
    return ScalarRow(
        name, 2, shifts_out, ref, lambda k, x, y: k.apply(prim, x, y), infix=(infix, -3, "left"),
    )  # fmt: skip


def _test(name: str, ref: Any, prim: str) -> ScalarRow:
    def body(k: Any, x: Any) -> Any:
        if not x.dtype.startswith("float"):
            return k.ne(x, x)  # integers are neither nan nor infinite
        return k.apply(prim, x)

    return ScalarRow(name, 1, bool_out, ref, body, operands=as_given, display=f"Elemwise{{{name}}}")


ROWS = (
    _compare("lt", np.less, "lt", "<"),
    _compare("gt", np.greater, "gt", ">"),
    _compare("le", np.less_equal, "le", "<="),
    _compare("ge", np.greater_equal, "ge", ">="),
    _compare("eq", np.equal, "eq", "==", commutative=True),
    _compare("neq", np.not_equal, "ne", "!=", commutative=True),
    _test("isnan", np.isnan, "isnan"),
    _test("isinf", np.isinf, "isinf"),
    _bitwise("and_", np.bitwise_and, "and", "&"),
    _bitwise("or_", np.bitwise_or, "or", "|"),
    _bitwise("xor", np.bitwise_xor, "xor", "^"),
    _shift("left_shift", np.left_shift, "shl", "<<"),
    _shift("right_shift", np.right_shift, "shr", ">>"),
    ScalarRow(
        "invert",
        1,
        integers_out,
        np.invert,
        lambda k, x: k.apply("not", x),
        infix=("~", 0, "either"),
    ),
)
