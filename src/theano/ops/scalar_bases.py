"""Bases of scalar ops by the kind of their result: comparisons, and operations on bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.core.dtypes import COMPLEX, FLOAT
from theano.ops.scalar_gradients import scalar_terms
from theano.ops.scalar_op import BinaryScalarOp, ScalarOp, UnaryScalarOp
from theano.ops.scalar_preferences import upcast_out
from theano.ops.scalar_types import Scalar, get_scalar_type


class _Discrete(ScalarOp):
    """An op whose result does not move with its inputs."""

    _abstract = True

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        """Zeros."""
        return scalar_terms([None] * len(inputs), inputs)


class FixedLogicalComparison(_Discrete, UnaryScalarOp):
    """A question about one number; bool.

    >>> import theano.tensor as T
    >>> class IsEven(FixedLogicalComparison):
    ...     def impl(self, x):
    ...         return x % 2 == 0
    >>> T.Elemwise(IsEven())(T.constant([1, 2])).eval().tolist()
    [False, True]
    """

    _abstract = True

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """bool."""
        return [get_scalar_type("bool")]


class LogicalComparison(_Discrete, BinaryScalarOp):
    """A question about two numbers; bool. To be extended, as `FixedLogicalComparison` is."""

    _abstract = True

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """bool."""
        return [get_scalar_type("bool")]


class UnaryBitOp(_Discrete, UnaryScalarOp):
    """An operation on the bits of an integer, of the integer's dtype."""

    _abstract = True

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """The input's type, an integer or bool; TypeError for others."""
        return _whole(self, types)


class BinaryBitOp(_Discrete, BinaryScalarOp):
    """An operation on the bits of two integers, of the dtype that holds both.

    >>> import theano.tensor as T
    >>> class ShiftLeft(BinaryBitOp):
    ...     def impl(self, x, y):
    ...         return x << y
    >>> T.Elemwise(ShiftLeft())(T.constant([1, 2]), 3).eval().tolist()
    [8, 16]
    """

    _abstract = True

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """The upcast of the inputs, integers or bools; TypeError for others."""
        return _whole(self, types)


def _whole(op: ScalarOp, types: Sequence[Scalar]) -> Sequence[Scalar]:
    given = [kind.dtype for kind in types]
    if any(dtype in FLOAT | COMPLEX for dtype in given):
        raise TypeError(f"{op} takes integers or bool, got {', '.join(given)}")
    return list(upcast_out(*types))
