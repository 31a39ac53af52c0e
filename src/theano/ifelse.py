"""``ifelse``: a conditional that computes only the branch it takes."""

from __future__ import annotations

from typing import Any

from theano.graph.nodes import Variable
from theano.ops.basic import as_tensor_variable
from theano.ops.ifelse import IfElse

__all__ = ["IfElse", "ifelse"]


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """``then_branch`` if ``condition`` is not 0, else ``else_branch``; the other is not computed.

    Unlike ``T.switch``, which chooses element by element, the condition is one number.

    Parameters
    ----------
    condition : 0-d variable or number.
    then_branch, else_branch : variables of the same dtype and rank (shapes may differ), or equally
        long lists or tuples of them; the result is of the same kind.
    name : shown by printing.

    Raises TypeError where the types of the branches differ or the condition is not a scalar,
    ValueError where the branches differ in length.

    >>> import theano, theano.tensor as T
    >>> a, b, x = T.dscalars("a", "b", "x")
    >>> f = theano.function([a, b, x], ifelse(T.lt(a, b), T.exp(x), x / 0.5))
    >>> float(f(2, 1, 3))
    6.0
    """
    kinds = [type(b) for b in (then_branch, else_branch) if isinstance(b, (list, tuple))]
    first = list(then_branch) if isinstance(then_branch, (list, tuple)) else [then_branch]
    second = list(else_branch) if isinstance(else_branch, (list, tuple)) else [else_branch]
    if len(first) != len(second):
        raise ValueError(
            f"ifelse: the branches have {len(first)} and {len(second)} values: their numbers must "
            "be equal"
        )
    values = [x if isinstance(x, Variable) else as_tensor_variable(x) for x in (*first, *second)]
    outputs = IfElse(len(first), name=name)(condition, *values, return_list=True)
    if not kinds:
        return outputs[0]
    return tuple(outputs) if kinds[0] is tuple else list(outputs)


def __getattr__(name: str) -> Any:
    advice = ""
    if name == "cond_make_inplace":
        advice = (
            ": nothing in a graph is done in place; where a result is stored is decided when the "
            "graph is lowered"
        )
    raise AttributeError(f"module 'theano.ifelse' has no attribute {name!r}{advice}")
