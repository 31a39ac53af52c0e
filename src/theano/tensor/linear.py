"""``theano.dot``: the product of two things that know how to multiply, dense or sparse."""

from __future__ import annotations

from typing import Any

from theano.graph.registry import apply


def dot(a: Any, b: Any) -> Any:
    """``a`` times ``b`` as the first says (``__dot__``), or else the second (``__rdot__``).

    Raises NotImplementedError where neither knows how.

    >>> from theano.tensor.types import matrix, vector
    >>> dot(matrix(), vector()).ndim
    1
    """
    for left, method, other in ((a, "__dot__", b), (b, "__rdot__", a)):
        multiply = getattr(left, method, None)
        result = NotImplemented if multiply is None else multiply(other)
        if result is not NotImplemented:
            return result
    try:
        return apply("dot", a, b)
    except TypeError as error:
        raise NotImplementedError(
            f"theano.dot cannot multiply {type(a).__name__} and {type(b).__name__}"
        ) from error
