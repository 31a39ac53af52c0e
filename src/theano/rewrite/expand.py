"""Expansion: ops that stand for an expression of other ops give way to it, last of all."""

from __future__ import annotations

from collections.abc import Sequence

from theano.graph.nodes import Apply, Variable
from theano.rewrite.engine import Rule, Uses


def _expand(node: Apply, uses: Uses) -> Sequence[Variable] | None:
    """``op.expand(node)`` where ``op.lowering`` is ``"expand"``."""
    if getattr(node.op, "lowering", None) != "expand":
        return None
    results = node.op.expand(node)
    return list(results) if isinstance(results, (list, tuple)) else [results]


_RULE = Rule("expand", "expand", (), _expand, frozenset({"expand"}))


def expand_rules() -> tuple[Rule, ...]:
    """The one rule of the last pass."""
    return (_RULE,)
