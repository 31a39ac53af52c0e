r"""Graphs as formulas: ``(x + y)``, ``sum((x ** TensorConstant{2}))``, ``(x \dot y)``.

A printer turns one step into text and asks ``pstate.pprinter`` for the text of its inputs. It gets
place holders, which are filled in at the end without recursion: depth costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from theano.graph import traverse
from theano.graph.nodes import Constant, Op, Variable

Condition = Callable[[Any, Variable], bool]
# A formula repeats what a graph shares, so its length may grow like 2 ** depth.
LIMIT: Final = 1_000_000
_HOLE: Final = re.compile("\0(\\d+)\0")


class PrinterState:
    """What printers hand on to those of their inputs: ``pprinter``, and notes of their own."""

    def __init__(self, pprinter: Any, **notes: Any) -> None:
        self.pprinter = pprinter
        self.__dict__.update(notes)


class LeafPrinter:
    """Prints an input or a constant: its name, its value, or its type."""

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The variable's own text."""
        return str(output)


class DefaultPrinter:
    """Prints ``op(inputs)``."""

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The op and the texts of its inputs; for a leaf its own text."""
        if output.owner is None:
            return str(output)
        return _call(str(output.owner.op), output, pstate)


class FunctionPrinter:
    """Prints ``name(inputs)``; several names are for several outputs."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The name for this output and the texts of the inputs."""
        return _call(self.names[min(output.index or 0, len(self.names) - 1)], output, pstate)


class OperatorPrinter:
    """Prints ``(a operator b)``, or ``(operator a)`` for a single input.

    ``precedence`` and ``assoc`` ("left", "right", "either") say how the operator binds; everything
    is put into parentheses all the same, so that no formula needs them to be read.
    """

    def __init__(self, operator: str, precedence: float, assoc: str = "left") -> None:
        self.operator = operator
        self.precedence = precedence
        self.assoc = assoc

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The inputs with the operator between them."""
        texts = _inputs(output, pstate)
        if len(texts) == 1:
            return f"({self.operator}{texts[0]})"
        return f"({f' {self.operator} '.join(texts)})"


class PatternPrinter:
    """Prints a pattern such as ``'|%(0)s|'``, ``%(i)s`` being input ``i``.

    Each argument is a pattern, or a tuple of a pattern and precedences; one for each output.
    """

    def __init__(self, *patterns: str | tuple[Any, ...]) -> None:
        self.patterns = [p if isinstance(p, str) else p[0] for p in patterns]

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The pattern of this output, filled in."""
        pattern: str = self.patterns[output.index or 0]
        return pattern % {str(i): text for i, text in enumerate(_inputs(output, pstate))}


class IgnorePrinter:
    """Prints the only input in place of the step."""

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The input's text."""
        (text,) = _inputs(output, pstate)
        return text


class MemberPrinter:
    """Prints ``input.name``; several names are for several outputs."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The input's text with the name for this output."""
        (text,) = _inputs(output, pstate)
        return f"{text}.{self.names[output.index or 0]}"


class CodePrinter:
    """Prints what a function of (op, texts of the inputs, output) returns."""

    def __init__(self, write: Callable[[Any, list[str], Variable], str]) -> None:
        self.write = write

    def process(self, output: Variable, pstate: PrinterState) -> str:
        """The function's text."""
        assert output.owner is not None
        return self.write(output.owner.op, _inputs(output, pstate), output)


def _inputs(output: Variable, pstate: PrinterState) -> list[str]:
    if output.owner is None:
        raise TypeError(f"{output} is not computed: this printer prints steps only")
    return [pstate.pprinter.process(parent, pstate) for parent in output.owner.inputs]


def _call(name: str, output: Variable, pstate: PrinterState) -> str:
    return f"{name}({', '.join(_inputs(output, pstate))})"


class _Filling:
    """One printing in progress: gives out place holders, then fills them in."""

    def __init__(self, printer: PPrinter, notes: Mapping[str, Any]) -> None:
        self.printer = printer
        self.state = PrinterState(self, **notes)
        self.numbers: dict[Variable, int] = {}
        self.asked: list[Variable] = []

    def process(self, variable: Variable, pstate: PrinterState | None = None) -> str:
        """A place holder for the text of ``variable``."""
        if variable not in self.numbers:
            self.numbers[variable] = len(self.asked)
            self.asked.append(variable)
        return f"\0{self.numbers[variable]}\0"

    def text(self, root: Variable) -> str:
        """The whole text, with no place holder left."""
        known: dict[int, list[str | int]] = {}
        stack: list[str | int] = _pieces(self.process(root))
        parts: list[str] = []
        length = 0
        while stack:
            piece = stack.pop()
            if isinstance(piece, str):
                parts.append(piece)
                length += len(piece)
                if length > LIMIT:
                    return f"{''.join(parts)} … (cut: debugprint shows shared parts once)"
            else:
                if piece not in known:
                    known[piece] = _pieces(self.printer.find(self.asked[piece], self.state))
                stack.extend(known[piece])
        return "".join(parts)


def _pieces(text: str) -> list[str | int]:
    """Plain texts and the numbers of place holders between them, the last one first."""
    pieces = _HOLE.split(text)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)][::-1]


class PPrinter:
    """Prints graphs as formulas, with the printers that were assigned to ops.

    >>> from theano.tensor.types import matrices
    >>> x, y = matrices("xy")
    >>> pprint(x + y)
    '(x + y)'
    """

    def __init__(self) -> None:
        self.printers: list[tuple[Condition, Any]] = []
        self.printers_dict: dict[Op, Any] = {}

    def assign(self, condition: Op | Condition, printer: Any) -> None:
        """Let ``printer`` print the outputs of an op, or the variables that meet a condition.

        ``condition`` is an op or a function of (state, variable). The last assignment wins, and
        conditions go before ops. A printer has ``process(variable, pstate)``; a function of
        (variable, pstate) will do.
        """
        printer = printer if hasattr(printer, "process") else _Calling(printer)
        if isinstance(condition, Op):
            self.printers_dict[condition] = printer
        else:
            self.printers.insert(0, (condition, printer))

    def process(self, r: Variable, pstate: Any = None) -> str:
        """The formula of ``r``."""
        if isinstance(pstate, PrinterState) and isinstance(pstate.pprinter, _Filling):
            return pstate.pprinter.process(r)
        notes = pstate if isinstance(pstate, dict) else vars(pstate) if pstate else {}
        notes = {name: note for name, note in notes.items() if name != "pprinter"}
        return _Filling(self, notes).text(r)

    def find(self, variable: Variable, pstate: PrinterState) -> str:
        """The text that the printer in charge of ``variable`` gives."""
        for condition, printer in self.printers:
            if condition(pstate, variable):
                return str(printer.process(variable, pstate))
        if variable.owner is None:
            return LeafPrinter().process(variable, pstate)
        printer = self.printers_dict.get(variable.owner.op)
        if printer is None:
            printer = builtin(variable.owner.op)
        return str(printer.process(variable, pstate))

    def clone(self) -> PPrinter:
        """A printer with the same assignments, to add some for one purpose."""
        other = PPrinter()
        other.printers = list(self.printers)
        other.printers_dict = dict(self.printers_dict)
        return other

    def clone_assign(self, condition: Op | Condition, printer: Any) -> PPrinter:
        """A clone with one more assignment."""
        other = self.clone()
        other.assign(condition, printer)
        return other

    def process_graph(
        self,
        inputs: Variable | Sequence[Variable],
        outputs: Variable | Sequence[Variable],
        updates: Mapping[Variable, Variable] | None = None,
        display_inputs: bool = False,
    ) -> str:
        """Several lines: an equation for each named variable, each output and each update."""
        inputs = [inputs] if isinstance(inputs, Variable) else list(inputs)
        outputs = [outputs] if isinstance(outputs, Variable) else list(outputs)
        updates = dict(updates or {})
        starts = [*inputs, *updates]
        lines = [f"inputs: {', '.join(map(str, starts))}"] if display_inputs else []
        order = traverse.ancestors([*outputs, *updates.values()], starts)
        lines += [
            f"{variable.name} = {self._equation(variable)}"
            for variable in order
            if variable.owner and variable.name and variable not in outputs
        ]
        lines += [f"{shared} <- {self._equation(new)}" for shared, new in updates.items()]
        for position, variable in enumerate(outputs):
            head = "return" if len(outputs) == 1 else f"{variable.name or f'out[{position}]'} ="
            lines.append(f"{head} {self._equation(variable)}")
        return "\n".join(lines)

    def _equation(self, current: Variable) -> str:
        def named(pstate: Any, variable: Variable) -> bool:
            return variable.name is not None and variable is not current

        return self.clone_assign(named, LeafPrinter()).process(current)

    def __call__(self, *args: Any) -> str:
        if len(args) == 1:
            return self.process(*args)
        return self.process_graph(*args)


class _Calling:
    """A plain function as a printer."""

    def __init__(self, function: Callable[[Variable, PrinterState], str]) -> None:
        self.process = function


# ---- the ops that come with us --------------------------------------------------------------


def _dimshuffle(op: Any, texts: list[str], output: Variable) -> str:
    """Dimensions added on the left are what broadcasting does anyway: they are not shown."""
    order = list(op.new_order)
    while order and order[0] == "x":
        order.pop(0)
    rank = output.owner.inputs[0].type.ndim if output.owner else 0
    if order == list(range(rank)):
        return texts[0]
    if order == list(range(rank))[::-1]:
        return f"{texts[0]}.T"
    return f"DimShuffle{{{', '.join(map(str, op.new_order))}}}({texts[0]})"


def _reduction(name: str) -> Callable[[Any, list[str], Variable], str]:
    def write(op: Any, texts: list[str], output: Variable) -> str:
        axis = getattr(op, "axis", None)
        rank = output.owner.inputs[0].type.ndim if output.owner else 0
        if axis is None or rank <= 1 or tuple(axis) == tuple(range(rank)):
            return f"{name}({texts[0]})"
        return f"{name}({texts[0]}, axis={tuple(axis)})"

    return write


def _subscript(op: Any, texts: list[str], output: Variable) -> str:
    """``x[0, a:b]``; constant indices as plain numbers."""
    assert output.owner is not None
    parents = output.owner.inputs
    supply = iter(
        str(parent.data) if isinstance(parent, Constant) and parent.type.ndim == 0 else text
        for parent, text in zip(parents[1:], texts[1:], strict=True)
    )

    def fill(entry: Any) -> str:
        return "" if entry is None else next(supply)

    parts = []
    for entry in op.idx_list:
        if isinstance(entry, slice):
            start, stop, step = fill(entry.start), fill(entry.stop), fill(entry.step)
            parts.append(f"{start}:{stop}:{step}" if step else f"{start}:{stop}")
        else:
            parts.append(fill(entry) or "None")
    return f"{texts[0]}[{', '.join(parts)}]"


# Comparisons and bitwise operations print as functions: `gt(x, y)`.
ARITHMETIC: Final = frozenset(("+", "-", "*", "/", "//", "%", "**"))


def _elemwise(op: Any) -> Any:
    """The printer of an elementwise op: what its row says, else a function's name."""
    row = getattr(op, "row", None) or getattr(op, "scalar_op", None)
    name = getattr(row, "name", None)
    infix = getattr(row, "infix", None)
    if name in ("abs", "abs_"):
        return PatternPrinter("|%(0)s|")
    if infix is not None and infix[0] in ARITHMETIC:
        return OperatorPrinter(*infix)
    if not isinstance(name, str) or not name.isidentifier():
        return DefaultPrinter()
    return FunctionPrinter({"second": "fill"}.get(name, name))


# By the class of the op. Classes that are not here print as `str(op)(inputs)`.
BUILTIN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "Elemwise": _elemwise,
    "DimShuffle": lambda op: CodePrinter(_dimshuffle),
    "Dot": lambda op: OperatorPrinter(r"\dot", -1, "left"),
    "Sum": lambda op: CodePrinter(_reduction("sum")),
    "Prod": lambda op: CodePrinter(_reduction("prod")),
    "All": lambda op: CodePrinter(_reduction("all")),
    "Any_": lambda op: CodePrinter(_reduction("any")),
    "Max": lambda op: CodePrinter(_reduction("max")),
    "Min": lambda op: CodePrinter(_reduction("min")),
    "Argmax": lambda op: CodePrinter(_reduction("argmax")),
    "Subtensor": lambda op: CodePrinter(_subscript),
    "AdvancedSubtensor": lambda op: CodePrinter(_subscript),
    "AdvancedSubtensor1": lambda op: PatternPrinter("%(0)s[%(1)s]"),
    "Shape": lambda op: MemberPrinter("shape"),
    "MakeVector": lambda op: CodePrinter(lambda op, texts, output: f"[{', '.join(texts)}]"),
    "Alloc": lambda op: FunctionPrinter("alloc"),
    "Join": lambda op: FunctionPrinter("join"),
    "Reshape": lambda op: FunctionPrinter("reshape"),
}


def builtin(op: Op) -> Any:
    """The printer of an op that nothing was assigned to."""
    for cls in type(op).__mro__:
        if cls.__name__ in BUILTIN:
            return BUILTIN[cls.__name__](op)
    return DefaultPrinter()


pprint = PPrinter()


def pp(*args: Any) -> str:
    """The formula of a variable, or the equations of a graph (``PPrinter.process_graph``)."""
    return pprint(*args)
