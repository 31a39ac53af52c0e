"""FunctionGraph: a closed graph, from its inputs to its outputs, with its clients known.

A graph that nobody changes costs no more than its two lists. With the first change, or the first
feature, it is indexed: from then on it knows who uses what, changes its nodes in place, and tells
its features about every node that comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from theano.core.errors import MissingInputError
from theano.graph import traverse
from theano.graph.features import GIVEN, AlreadyThere, ReplacementDidntRemovedError, Undo
from theano.graph.nodes import Apply, Constant, Variable

Client = tuple[Any, int]


class FunctionGraph:
    """``inputs`` and ``outputs`` of one computation and everything between them.

    Parameters: ``clone`` makes a private copy first (Theano's default), so that replacing variables
    here leaves the user's graph alone; without it, the nodes given are changed in place. Roots that
    are neither inputs nor constants nor shared raise MissingInputError. ``features`` are attached.

    >>> import theano, theano.tensor as T
    >>> x, y = T.dvectors("x", "y")
    >>> graph = theano.FunctionGraph([x, y], [T.exp(x) + y], clone=False)
    >>> graph.replace(graph.outputs[0].owner.inputs[0], T.log(x))
    >>> graph
    [Elemwise{add,no_inplace}(Elemwise{log,no_inplace}(x), y)]
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
        self._features: list[Any] = []
        self._index: dict[Variable, list[Client]] | None = None
        self._nodes: set[Apply] = set()
        self._readonly: dict[Variable, list[Client]] | None = None
        self._order: list[Apply] | None = None
        self.check_integrity()
        for feature in features or ():
            self.attach_feature(feature)

    def check_integrity(self) -> None:
        """Raise MissingInputError if a root is neither an input, a constant nor shared."""
        self._check_roots(traverse.roots(self.outputs, set(self.inputs)))

    def _check_roots(self, roots: Iterable[Variable]) -> None:
        known = set(self.inputs)
        for root in roots:
            if root in known or isinstance(root, Constant) or hasattr(root, "container"):
                continue
            raise MissingInputError(
                f"Undeclared input: variable {root} is needed and is not among the inputs",
            )

    # looking ----------------------------------------------------------------------------------

    def toposort(self) -> list[Apply]:
        """The Applys in an order of execution."""
        if self._order is None:
            self._order = traverse.toposort(self.outputs, self.inputs)
        orderings = self.orderings() if self._features else {}
        return traverse.ordered(self._order, orderings) if orderings else list(self._order)

    @property
    def apply_nodes(self) -> set[Apply]:
        """All Applys."""
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        """All variables, the inputs included."""
        return set(traverse.ancestors(self.outputs, self.inputs)) | set(self.inputs)

    def clients(self, variable: Variable) -> list[Client]:
        """Who uses ``variable``: (Apply, position) or (``"output"``, position)."""
        if self._index is not None:
            return self._index.get(variable, [])
        if self._readonly is None:
            self._readonly = traverse.clients(self.outputs)
        return self._readonly.get(variable, [])

    def orderings(self) -> dict[Apply, list[Apply]]:
        """Nodes that features demand to run before others."""
        found: dict[Apply, list[Apply]] = {}
        for answer in self.collect_callbacks("orderings").values():
            for node, before in answer.items():
                found.setdefault(node, []).extend(before)
        return found

    # changing ---------------------------------------------------------------------------------

    def index(self) -> None:
        """Learn who uses what, once; variables then have ``clients`` and ``fgraph``, as of old."""
        if self._index is not None:
            return
        self._index = {}
        for variable in self.inputs:
            self._enter(variable)
        self._import(self.outputs, "init")
        for position, variable in enumerate(self.outputs):
            self._index[variable].append(("output", position))

    def _enter(self, variable: Variable) -> list[Client]:
        assert self._index is not None
        if variable not in self._index:
            found: list[Client] = []
            self._index[variable] = found
            variable.__dict__.update(clients=found, fgraph=self)
        return self._index[variable]

    def _import(self, variables: Iterable[Variable], reason: Any) -> None:
        """Take in what ``variables`` need and is not here yet."""
        assert self._index is not None
        variables = [v for v in variables if v not in self._index]
        if not variables:
            return
        nodes = self._new_nodes(variables)
        new_roots = {v for node in nodes for v in node.inputs if v.owner is None}
        self._check_roots([*new_roots, *(v for v in variables if v.owner is None)])
        for variable in variables:
            self._enter(variable)
        for node in nodes:
            self._nodes.add(node)
            node.__dict__["fgraph"] = self
            for output in node.outputs:
                self._enter(output)
            for position, variable in enumerate(node.inputs):
                self._enter(variable).append((node, position))
            self.execute_callbacks("on_import", node, reason)

    def _new_nodes(self, variables: Sequence[Variable]) -> list[Apply]:
        """What ``variables`` need and is not here yet, inputs first; costs only what is new."""
        assert self._index is not None
        done: set[Apply] = set()
        order: list[Apply] = []
        stack = [(v.owner, False) for v in reversed(variables)]
        while stack:
            node, seen = stack.pop()
            if node is None or (node in done and not seen):
                continue
            if seen:
                order.append(node)
                continue
            done.add(node)
            stack.append((node, True))
            stack += [(v.owner, False) for v in reversed(node.inputs) if v not in self._index]
        return order

    def _prune(self, variable: Variable, reason: Any) -> None:
        """Drop the nodes that only ``variable``, unused now, was computed by."""
        assert self._index is not None
        stack = [variable]
        while stack:
            variable = stack.pop()
            node = variable.owner
            if self._index.get(variable) or node not in self._nodes or variable in self.inputs:
                continue
            assert node is not None
            if any(self._index.get(output) for output in node.outputs):
                continue
            self._nodes.remove(node)
            node.__dict__.pop("fgraph", None)
            for position, parent in enumerate(node.inputs):
                self._index[parent].remove((node, position))
                stack.append(parent)
            for output in node.outputs:
                self._index.pop(output, None)
                output.__dict__.pop("clients", None)
                output.__dict__.pop("fgraph", None)
            self.execute_callbacks("on_prune", node, reason)

    def change_input(
        self, node: Any, i: int, new_r: Variable, reason: Any = None, prune: bool = True
    ) -> None:
        """Let input ``i`` of ``node`` (for ``"output"``: output ``i`` of the graph) be ``new_r``.

        Raises TypeError where the types differ, MissingInputError where ``new_r`` needs a root
        that the graph has not.
        """
        self.index()
        assert self._index is not None
        place = self.outputs if node == "output" else node.inputs
        old = place[i]
        if new_r is old:
            return
        if old.type != new_r.type:
            raise TypeError(f"The type of the replacement must be {old.type}, not {new_r.type}")
        self._import([new_r], reason)
        place[i] = new_r
        self._index[new_r].append((node, i))
        self._index[old].remove((node, i))
        self._order = None
        self.execute_callbacks("on_change_input", node, i, old, new_r, reason)
        if prune:
            self._prune(old, reason)

    def replace(
        self, variable: Variable, other: Variable, reason: Any = None, verbose: Any = None
    ) -> None:
        """Use ``other`` wherever ``variable`` was used; nothing happens if it is not used.

        Raises TypeError where the types are neither equal nor convertible.
        """
        del verbose
        self.index()
        assert self._index is not None
        if variable not in self._index:
            return
        users = list(self._index[variable])
        if other.type != variable.type:
            other = variable.type.filter_variable(other)
        for node, i in users:
            self.change_input(node, i, other, reason, prune=False)
        self._prune(variable, reason)

    def replace_all(self, pairs: Iterable[tuple[Variable, Variable]], reason: Any = None) -> None:
        """Replace several variables, one after the other."""
        for old, new in list(pairs):
            self.replace(old, new, reason)

    def replace_validate(self, r: Variable, new_r: Variable, reason: Any = None,
                         verbose: Any = None) -> None:  # fmt: skip
        """``replace``, taken back if a feature's ``validate`` raises."""
        self.replace_all_validate([(r, new_r)], reason, verbose)

    def replace_all_validate(
        self, replacements: Iterable[tuple[Variable, Variable]], reason: Any = None,
        verbose: Any = None,
    ) -> None:  # fmt: skip
        """``replace_all``, taken back if one fails or a feature's ``validate`` raises."""
        del verbose
        self.index()
        history = Undo()
        self.attach_feature(history)
        try:
            self.replace_all(replacements, reason)
            self.validate()
        except BaseException:
            history.revert(self, 0)
            raise
        finally:
            self.remove_feature(history)

    def replace_all_validate_remove(
        self, replacements: Iterable[tuple[Variable, Variable]], remove: Iterable[Variable],
        reason: Any = None, warn: bool = True,
    ) -> None:  # fmt: skip
        """``replace_all_validate``; ReplacementDidntRemovedError if ``remove`` are still used."""
        del warn
        self.index()
        history = Undo()
        self.attach_feature(history)
        try:
            self.replace_all_validate(replacements, reason)
            for variable in remove:
                if variable.owner in self._nodes:
                    history.revert(self, 0)
                    raise ReplacementDidntRemovedError()
        finally:
            self.remove_feature(history)

    def set_outputs(self, outputs: Sequence[Variable]) -> None:
        """Let this graph compute ``outputs`` from the same inputs."""
        if self._index is None:
            self.outputs = list(outputs)
            self._readonly = self._order = None
            return
        for i, output in enumerate(outputs):
            self.change_input("output", i, output)

    def clone(self, check_integrity: bool = True) -> FunctionGraph:
        """A copy that shares only constants and shared variables."""
        return FunctionGraph(self.inputs, self.outputs, clone=True)

    def clone_get_equiv(
        self, check_integrity: bool = True, attach_feature: bool = True
    ) -> tuple[FunctionGraph, dict[Variable, Variable]]:
        """A copy and the map from this graph's variables to the copy's."""
        copy = self.clone()
        return copy, copy.memo

    def disown(self) -> None:
        """Forget the features; the nodes may then belong to another graph."""
        for feature in list(self._features):
            self.remove_feature(feature)
        for part in (*(self._index or ()), *self._nodes):
            part.__dict__.pop("clients", None)
            part.__dict__.pop("fgraph", None)
        self._index, self._nodes = None, set()

    # features ---------------------------------------------------------------------------------

    def attach_feature(self, feature: Any) -> None:
        """Let ``feature`` hear of changes: ``on_attach``, then ``on_import`` of each node.

        ``on_attach`` may raise AlreadyThere to be left out quietly.
        """
        if feature in self._features:
            return
        self.index()
        try:
            getattr(feature, "on_attach", lambda graph: None)(self)
        except AlreadyThere:
            return
        self._features.append(feature)

    def remove_feature(self, feature: Any) -> None:
        """Let ``feature`` hear no more (``on_detach``)."""
        if feature in self._features:
            self._features.remove(feature)
            getattr(feature, "on_detach", lambda graph: None)(self)

    def execute_callbacks(self, name: str, *args: Any) -> None:
        """Call the method ``name`` of every feature that has one, as ``method(self, *args)``."""
        for feature in list(self._features):
            method = getattr(feature, name, None)
            if method is not None:
                method(self, *args)

    def collect_callbacks(self, name: str, *args: Any) -> dict[Any, Any]:
        """What the methods ``name`` of the features answer, by feature."""
        return {
            feature: getattr(feature, name)(self, *args)
            for feature in self._features
            if hasattr(feature, name)
        }

    def validate(self) -> None:
        """Let every feature object to the graph as it is, by raising."""
        self.execute_callbacks("validate")

    def consistent(self) -> bool:
        """Whether no feature objects to the graph as it is."""
        try:
            self.validate()
        except Exception:
            return False
        return True

    def __contains__(self, item: Any) -> bool:
        self.index()
        assert self._index is not None
        return item in self._index if isinstance(item, Variable) else item in self._nodes

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.update(_index=None, _nodes=set(), _readonly=None, _features=[])
        for given in GIVEN:
            state.pop(given, None)
        return state

    def __str__(self) -> str:
        from theano.graph.text import expression

        return f"[{', '.join(expression(output) for output in self.outputs)}]"

    __repr__ = __str__
