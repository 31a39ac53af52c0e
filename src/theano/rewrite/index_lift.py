"""Parts of elementwise results: the inputs' parts are taken instead, so that nothing else of the
whole is computed or stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

from theano.graph.nodes import Apply, Variable
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.rewrite.build import constant_value, is_elemwise, same_kind, t
from theano.rewrite.engine import Uses
from theano.rewrite.index import entries_of
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

#: inputs of a function through which parts are taken: each part has as many views
_INPUTS: Final = 4


@rule("canonicalize", ("Subtensor",))
def local_subtensor_lift(node: Apply, uses: Uses) -> Result:
    """f(x)[i] -> f(x[i]) for an elementwise f whose result is not used otherwise."""
    inner = node.inputs[0].owner
    if inner is None or not is_elemwise(inner) or uses(node.inputs[0]) > 1:
        return None
    return _lifted(node, inner)


@rule("specialize", ("Subtensor",))
def local_subtensor_split(node: Apply, uses: Uses) -> Result:
    """f(x)[:n], f(x)[n:] -> f(x[:n]), f(x[n:]) for an elementwise f used in separate parts only.

    So the gates of a recurrent layer are never stored side by side.
    """
    whole = node.inputs[0]
    inner = whole.owner
    if inner is None or not is_elemwise(inner) or uses(whole) < 2:
        return None
    users = uses.users(whole)
    if not users or any(place or user == "output" for user, place in users):
        return None
    spans = [_span(user) for user, _ in users]
    if not _apart([span for span in spans if span is not None], len(spans)):
        return None
    return _lifted(node, inner)


def _lifted(node: Apply, inner: Apply) -> Result:
    """The function of ``inner`` of the parts of its inputs; None if it has too many."""
    x, out = node.inputs[0], node.outputs[0]
    if len(inner.inputs) > _INPUTS:
        return None
    index = entries_of(node)
    parts = []
    for v in inner.inputs:
        if all(v.type.broadcastable) and constant_value(v) is not None:
            parts.append(v if out.type.ndim == v.type.ndim else t.dimshuffle(
                v, *range(v.type.ndim - out.type.ndim, v.type.ndim)))  # fmt: skip
        else:
            parts.append(t.getitem(v, tuple(_index_of(v, x, index))))
    result = same_kind(inner.op(*parts), out)
    return None if result is None else [result]


def _index_of(v: Variable, x: Variable, index: Sequence[Any]) -> list[Any]:
    """An index of ``x`` as one of ``v``, which is stretched along some dimensions to make ``x``."""
    stretched = [
        a and not b for a, b in zip(v.type.broadcastable, x.type.broadcastable, strict=True)
    ]
    return [
        entry if not wide else spec.FULL if isinstance(entry, slice) else 0
        for entry, wide in zip(index, stretched, strict=False)
    ]


def _span(user: Any) -> tuple[int, int, int] | None:
    """(axis, start, end) of a part along one axis with known bounds; None if it is no such part."""
    if type(user.op).__name__ != "Subtensor":
        return None
    cut = [(a, e) for a, e in enumerate(entries_of(user)) if not spec.is_full(e)]
    if len(cut) != 1 or not isinstance(cut[0][1], slice):
        return None
    ((axis, entry),) = cut
    start, stop, step = spec.parts(entry)
    first = 0 if start is None else sizes.known(start)
    end = 2**62 if stop is None else sizes.known(stop)
    if first is None or end is None or first < 0 or end < 0:
        return None
    return (axis, first, end) if step is None or sizes.known(step) == 1 else None


def _apart(spans: Sequence[tuple[int, int, int]], count: int) -> bool:
    """Whether there are so many parts, along one axis, that share nothing."""
    if len(spans) != count or len({axis for axis, _, _ in spans}) != 1:
        return False
    placed = sorted(spans)
    return all(a[2] <= b[1] for a, b in itertools.pairwise(placed))
