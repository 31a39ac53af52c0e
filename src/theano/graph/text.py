"""A graph as text: one line that reads like code, a listing of steps, or a tree of them.

All walk iteratively and print what is shared once, so their cost is that of what they print.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Apply, Variable


def expression(variable: Variable | Sequence[Variable], blockers: Collection[Variable] = ()) -> str:
    """One line of nested calls; ``*1 -> …`` names a part that ``*1`` refers to later.

    ``blockers`` print as if they were inputs.
    """
    variables = [variable] if isinstance(variable, Variable) else list(variable)
    stop = set(blockers)
    marks = _shared(variables, stop)
    seen: set[Apply] = set()
    parts: list[str] = []
    stack: list[str | Variable] = []
    for position, root in enumerate(reversed(variables)):
        stack.extend([root] if not position else [", ", root])
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item.owner is None or item in stop:
            parts.append(str(item))
        else:
            stack.extend(reversed(_call(item, marks, seen)))
    text = "".join(parts)
    return text if isinstance(variable, Variable) else f"[{text}]"


def listing(outputs: Sequence[Variable], blockers: Collection[Variable] = ()) -> str:
    """One line for each step in the order of execution, with the type of what it gives.

    The last line names the outputs. ``blockers`` are taken as inputs.
    """
    names: dict[Variable, str] = {}
    rows: list[tuple[str, str]] = []
    for node in traverse.toposort(outputs, blockers):
        arguments = ", ".join(names.get(v) or str(v) for v in node.inputs)
        for v in node.outputs:
            names[v] = f"%{len(names) + 1}"
        results = ", ".join(names[v] for v in node.outputs)
        types = ", ".join(str(v.type) for v in node.outputs)
        named = "".join(f" {v.name!r}" for v in node.outputs if v.name)
        rows.append((f"{results} = {node.op}({arguments})", f"{types}{named}"))
    width = min(max((len(step) for step, _ in rows), default=0), 72)
    lines = [f"{step:<{width}}  : {kind}" for step, kind in rows]
    return "\n".join([*lines, f"return {', '.join(names.get(v) or str(v) for v in outputs)}"])


def _call(variable: Variable, marks: dict[Apply, str], seen: set[Apply]) -> list[str | Variable]:
    """What prints a computed variable: strings, and variables that are still to print."""
    node = variable.owner
    assert node is not None
    output = f".{variable.index}" if len(node.outputs) > 1 else ""
    if node in seen:
        return [marks[node] + output]
    seen.add(node)
    mark = f"{marks[node]} -> " if node in marks else ""
    parts: list[str | Variable] = [f"{mark}{node.op}{output}("]
    for position, parent in enumerate(node.inputs):
        parts.extend([parent] if not position else [", ", parent])
    parts.append(")")
    return parts


def _shared(variables: Iterable[Variable], stop: set[Variable]) -> dict[Apply, str]:
    """The Applys that are needed more than once, with the marks ``*1``, ``*2`` …"""
    variables = list(variables)
    uses: dict[Apply, int] = {}
    nodes = traverse.toposort(variables, stop)
    for variable in (*variables, *(v for node in nodes for v in node.inputs)):
        if variable.owner is not None and variable not in stop:
            uses[variable.owner] = uses.get(variable.owner, 0) + 1
    often = [node for node in nodes if uses.get(node, 0) > 1]
    return {node: f"*{number}" for number, node in enumerate(often, 1)}


# ---- trees ----------------------------------------------------------------------------------


_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letters(number: int) -> str:
    """0, 1, … as A, B, …, Z, BA, BB, …: digits to base 26.

    >>> letters(0), letters(25), letters(26)
    ('A', 'Z', 'BA')
    """
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text = _LETTERS[digit] + text
        if not number:
            return text


IDS: Final[Mapping[str, Callable[[int, Any], str]]] = {
    "CHAR": lambda count, thing: f"[id {letters(count)}]",
    "int": lambda count, thing: f"[id {count}]",
    "id": lambda count, thing: f"[id {id(thing)}]",
    "": lambda count, thing: "",
}


@dataclass()
class Tree:
    """Prints variables as trees; steps and inputs keep their ids from one variable to the next.

    Attributes
    ----------
    depth : how many levels (-1: all).
    print_type : show each variable's type.
    ids : a key of ``IDS``.
    stop_on_name : do not go below variables that have a name.
    done : things printed already, with their ids: they are not expanded again.
    used_ids : ids given already.
    order : for each step, its position in the order of execution.
    storage : for each variable, its storage.
    clients : for each variable, what uses it.
    aliases : for each variable inside a loop's step, what it stands for outside.
    print_destroy_map, print_view_map : show which inputs a step overwrites or returns views of.
    times : for each step, seconds it took (columns of a profile).
    """

    depth: int = -1
    print_type: bool = False
    ids: str = "CHAR"
    stop_on_name: bool = False
    done: dict[Any, str] = field(default_factory=dict)
    used_ids: dict[Any, str] = field(default_factory=dict)
    order: Mapping[Apply, int] = field(default_factory=dict)
    storage: Mapping[Variable, Any] = field(default_factory=dict)
    clients: Mapping[Variable, Sequence[Any]] | None = None
    aliases: Mapping[Variable, Variable] = field(default_factory=dict)
    print_destroy_map: bool = False
    print_view_map: bool = False
    times: Mapping[Apply, float] = field(default_factory=dict)
    inner: list[Variable] = field(default_factory=list)

    def lines(self, root: Variable, prefix: str = "") -> Iterator[str]:
        """The lines of the tree above ``root``, without line ends."""
        stack = [(root, prefix, prefix, self.depth)]
        while stack:
            variable, head, below, depth = stack.pop()
            if depth == 0:
                continue
            node = variable.owner
            if node is None:
                yield self._leaf(variable, head)
                continue
            known = node in self.done
            yield self._step(variable, node, head)
            if known or (self.stop_on_name and variable.name is not None):
                continue
            if hasattr(node.op, "inner_outputs"):
                self.inner.append(variable)
            last = len(node.inputs) - 1
            branch = f"{below} |"
            stack.extend(
                (node.inputs[i], branch, f"{below}  " if i == last else branch, depth - 1)
                for i in range(last, -1, -1)
            )

    def label(self, thing: Any) -> str:
        """The id of a step or an input, given on first use; it counts as printed from now on."""
        if thing not in self.used_ids:
            self.used_ids[thing] = IDS[self.ids](len(self.used_ids), thing)
        self.done[thing] = self.used_ids[thing]
        return self.used_ids[thing]

    def _leaf(self, variable: Variable, head: str) -> str:
        outer = self.aliases.get(variable)
        arrow = "" if outer is None else f" -> {self.label(outer.owner or outer)}"
        return (
            f"{head}{variable} {self.label(variable)}{arrow}{self._type(variable)}"
            f"{self._data(variable)}{self._uses(variable)}"
        )

    def _step(self, variable: Variable, node: Apply, head: str) -> str:
        index = f".{variable.index}" if len(node.outputs) > 1 else ""
        destroys = _shown("d=", node.op.destroy_map) if self.print_destroy_map else ""
        views = _shown("v=", node.op.view_map) if self.print_view_map else ""
        position = str(self.order[node]) if node in self.order else ""
        seconds = f" --> {self.times[node]:8.2e}s" if node in self.times else ""
        return (
            f"{head}{node.op}{index} {self.label(node)}{self._type(variable)} "
            f"'{variable.name or ''}' {destroys} {views} {position}"
            f"{self._data(variable)}{self._uses(variable)}{seconds}"
        )

    def _type(self, variable: Variable) -> str:
        return f" <{variable.type}>" if self.print_type else ""

    def _data(self, variable: Variable) -> str:
        return f" {self.storage[variable]}" if variable in self.storage else ""

    def _uses(self, variable: Variable) -> str:
        if self.clients is None:
            return ""
        users = [
            (node if node == "output" else self.used_ids.get(node, str(node.op)), position)
            for node, position in self.clients.get(variable, ())
        ]
        return f" clients={users}"


def _shown(mark: str, mapping: Mapping[int, list[int]]) -> str:
    return f"{mark}{dict(mapping)}" if mapping else ""


def tree(outputs: Iterable[Variable], order: Sequence[Apply] | None = None, **options: Any) -> str:
    """The trees of several variables as one text that ends in a newline.

    ``order`` numbers the steps; ``options`` are the attributes of :class:`Tree`.
    """
    numbers = {node: position for position, node in enumerate(order or ())}
    printer = Tree(order=numbers, **options)
    lines = [line for output in outputs for line in printer.lines(output)]
    return "\n".join([*lines, *inner_lines(printer), ""])


def inner_lines(printer: Tree) -> Iterator[str]:
    """The graphs inside the steps that ``printer`` met (loops, inline graphs)."""
    if not printer.inner:
        return
    yield ""
    yield "Inner graphs of the scan ops:"
    seen: set[Apply] = set()
    printer.order = {}
    while printer.inner:
        variable = printer.inner.pop(0)
        node = variable.owner
        if node is None or node in seen:
            continue
        seen.add(node)
        op: Any = node.op
        printer.aliases = _outer_inputs(node)
        yield ""
        index = f".{variable.index}" if len(node.outputs) > 1 else ""
        yield f"{op}{index} {printer.label(node)}{printer._type(variable)} '{variable.name or ''}'"
        for output in op.inner_outputs:
            yield from printer.lines(output, " >")


def _outer_inputs(node: Apply) -> dict[Variable, Variable]:
    """What the inputs of an op's inner graph come from: at its place, or where the op says."""
    op: Any = node.op
    place = getattr(getattr(op, "form", None), "outer_of", None)
    inner = op.inner_inputs
    if place is None:
        return dict(zip(inner, node.inputs, strict=False))
    return {v: node.inputs[place(i)] for i, v in enumerate(inner)}
