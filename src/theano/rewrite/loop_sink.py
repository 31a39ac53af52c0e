"""What is added to all rows of a sequence is added in the step instead: one pass over memory less.

The other way round than hoisting, which moves out what is the same in all steps: a bias that is
added to a product of all rows would read and write the whole sequence once more, while a step adds
it to numbers that it has in registers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType
from theano.rewrite.build import is_elemwise, owner_of
from theano.rewrite.loop_parts import Link, Memo, Parts, sweep

Clients = Mapping[Variable, Sequence[tuple[Any, int]]]

#: what costs no more inside the step than the load that it saves
_CHEAP: Final = frozenset({"add", "sub", "mul", "maximum", "minimum"})
#: what leaves its result in memory in any case, so that an elementwise op behind it is a pass
_STORED: Final = ("Dot", "Matmul", "BatchedDot", "Gemm", "BatchedGemm", "Reshape", "DimShuffle")


def sink_into_steps(outputs: Sequence[Variable], blockers: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with cheap elementwise work on sequences moved into the steps of their loops."""
    clients = traverse.clients(list(outputs))
    return sweep(outputs, blockers, lambda node, current: _sunk(node, current, clients))


def _sunk(node: Apply, current: Apply, clients: Clients) -> Memo:
    """The outputs of a loop to those of one with its sequences as they are before such work."""
    known = Parts.of(node).seqs
    if not any(_stretched(link.outer, clients) for link in known):
        return {}
    parts = Parts.of(current)
    replaced: dict[Variable, Variable] = {}
    for before, link in zip(known, parts.seqs, strict=True):
        if _stretched(before.outer, clients):
            old = link.inner
            replaced[old] = _inside(parts, link)
    parts.replace_results(traverse.rebuild(parts.results(), replaced, strict=False))
    return parts.build().replaced()


def _stretched(sequence: Any, clients: Clients) -> bool:
    """Whether a sequence is a cheap function of one stored array and of the same for all rows."""
    node = sequence.owner
    if node is None or not is_elemwise(node) or node.op.row.name not in _CHEAP:
        return False
    if len(clients.get(sequence, ())) != 1 or sequence.type.broadcastable[0]:
        return False
    whole = [v for v in node.inputs if not v.type.broadcastable[0]]
    return len(whole) == 1 and (whole[0].owner is None or owner_of(whole[0], *_STORED) is not None)


def _inside(parts: Parts, link: Link) -> Variable:
    """The function of a row, in the step; the link becomes one to the stored array."""
    node, old = link.outer.owner, link.inner
    operands = []
    for v in node.inputs:
        if v.type.broadcastable[0]:
            operands.append(parts.fix(v[0]))
            continue
        row = TensorType(v.type.dtype, shape=v.type.shape[1:])()
        link.inner, link.outer = row, v
        operands.append(row)
    made: Variable = old.type.filter_variable(node.op(*operands))
    return made
