"""FunctionGraph: a closed graph, from its inputs to its outputs, with its clients known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from theano.core.errors import MissingInputError
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable


class FunctionGraph:
    """``inputs`` and ``outputs`` of one computation and everything between them.

    Parameters: ``clone`` makes a private copy first (Theano's default), so that replacing variables
    here leaves the user's graph alone. Roots that are neither inputs nor constants nor shared
    raise MissingInputError.
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        features: Sequence[Any] | None = None,
        clone: bool = True,
        update_mapping: dict[int, int] | None = None,
    ) -> None:
        if clone:
            inputs, outputs, self.memo = traverse.clone(inputs, outputs)
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.update_mapping = update_mapping
        self._features = list(features or ())
        self._clients: dict[Variable, list[tuple[Any, int]]] | None = None
        self._order: list[Apply] | None = None
        self.check_integrity()

    def check_integrity(self) -> None:
        """Raise MissingInputError if a root is neither an input, a constant nor shared."""
        known = set(self.inputs)
        for root in traverse.roots(self.outputs, known):
            if root in known or isinstance(root, Constant) or hasattr(root, "container"):
                continue
            raise MissingInputError(
                f"Undeclared input: variable {root} is needed and is not among the inputs",
            )

    def toposort(self) -> list[Apply]:
        """The Applys in an order of execution."""
        if self._order is None:
            self._order = traverse.toposort(self.outputs, self.inputs)
        return list(self._order)

    @property
    def apply_nodes(self) -> set[Apply]:
        """All Applys."""
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        """All variables, the inputs included."""
        return set(traverse.ancestors(self.outputs, self.inputs)) | set(self.inputs)

    def clients(self, variable: Variable) -> list[tuple[Any, int]]:
        """Who uses ``variable``: (Apply, position) or (``"output"``, position)."""
        if self._clients is None:
            self._clients = traverse.clients(self.outputs)
        return self._clients.get(variable, [])

    def replace(self, variable: Variable, other: Variable, reason: str | None = None) -> None:
        """Use ``other`` wherever ``variable`` was used."""
        self.replace_all([(variable, other)], reason)

    def replace_all(
        self, pairs: Iterable[tuple[Variable, Variable]], reason: str | None = None
    ) -> None:
        """Replace several variables at once; types must be equal or convertible."""
        memo = {old: old.type.filter_variable(new) for old, new in pairs}
        self.set_outputs(traverse.rebuild(self.outputs, memo))

    replace_validate = replace
    replace_all_validate = replace_all

    def set_outputs(self, outputs: Sequence[Variable]) -> None:
        """Let this graph compute ``outputs`` from the same inputs."""
        self.outputs = list(outputs)
        self._clients = self._order = None

    def clone(self) -> FunctionGraph:
        """A copy that shares only constants and shared variables."""
        return FunctionGraph(self.inputs, self.outputs, clone=True)

    def clone_get_equiv(self) -> tuple[FunctionGraph, dict[Variable, Variable]]:
        """A copy and the map from this graph's variables to the copy's."""
        copy = self.clone()
        return copy, copy.memo

    def attach_feature(self, feature: Any) -> None:
        """Keep ``feature`` and tell it so (``on_attach``)."""
        self._features.append(feature)
        getattr(feature, "on_attach", lambda graph: None)(self)

    def __str__(self) -> str:
        from theano.graph.text import expression

        return f"[{', '.join(expression(output) for output in self.outputs)}]"

    __repr__ = __str__
