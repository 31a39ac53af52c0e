"""pydotprint: the picture of a graph as SVG or .dot, drawn here; other formats need Graphviz."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from theano._printing.describe import function_graph
from theano._printing.layout import Arrow, Box, Picture
from theano.core.config import config
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable

# Colours of steps: by a part of the op's name, the first that fits.
COLORS: Final[Mapping[str, str]] = {
    "GpuFromHost": "red",
    "HostFromGpu": "red",
    "Scan": "yellow",
    "Shape": "brown",
    "IfElse": "magenta",
    "Elemwise": "#FFAABB",
    "Subtensor": "#FFAAFF",
    "Alloc": "#FFAA22",
    "Output": "lightblue",
}
INPUT, OUTPUT, SHARED, CONSTANT = "limegreen", "dodgerblue", "turquoise", "lightgrey"
OWN: Final[Mapping[str, Callable[[Picture], str]]] = {"svg": Picture.svg, "dot": Picture.dot}


def pydotprint(
    fct: Any,
    outfile: str | os.PathLike[str] | None = None,
    compact: bool = True,
    format: str = "png",
    with_ids: bool = False,
    high_contrast: bool = True,
    cond_highlight: Any = None,
    colorCodes: Mapping[str, str] | None = None,
    max_label_size: int = 70,
    scan_graphs: bool = False,
    var_with_name_simple: bool = False,
    print_output_file: bool = True,
    return_image: bool = False,
) -> Any:
    """Draw a graph into a file. Ellipses are steps, boxes variables.

    Green boxes are inputs, turquoise ones shared variables, grey ones constants, blue ones outputs.

    Parameters
    ----------
    fct : compiled function, FunctionGraph, variable, Apply, or a list of variables.
    outfile : where to write; its ending decides the format. By default a file in the cache folder.
    compact : leave out intermediate variables without a name.
    format : ``"svg"`` and ``"dot"`` need nothing; ``"png"``, ``"pdf"`` … need Graphviz's ``dot``
        program. Without it the picture is written as SVG, with a warning.
    with_ids : number the steps in their order.
    high_contrast : fill shapes with their colour (else only outline them).
    cond_highlight : accepted for old code, without effect.
    colorCodes : colours by part of an op's name, in place of the usual ones.
    max_label_size : longer labels are cut.
    scan_graphs : also draw the graphs inside loops, each into a file of its own.
    var_with_name_simple : show only the name of variables that have one.
    print_output_file : say where the file is.
    return_image : return the picture, which notebooks show, in place of writing a file.

    Returns the ``Picture`` with ``return_image``, else None. Raises TypeError for other objects.
    """
    picture = drawn(
        fct, compact, with_ids, high_contrast, colorCodes, max_label_size, var_with_name_simple
    )
    if return_image:
        return picture
    path, kind = _target(outfile, format)
    path = write_picture(picture, path, kind)
    if print_output_file:
        sys.stdout.write(f"The output file is available at {path}\n")
    if scan_graphs:
        base, ending = os.path.splitext(path)
        steps = [box.key for box in picture.boxes if isinstance(box.key, Apply)]
        loops: list[Any] = [n.op for n in steps if hasattr(n.op, "inner_outputs")]
        for number, op in enumerate(loops):
            pydotprint(
                list(op.inner_outputs), f"{base}_{number}{ending}", compact, format, with_ids,
                high_contrast, None, colorCodes, max_label_size, True, var_with_name_simple,
                print_output_file,
            )  # fmt: skip
    return None


def drawn(
    fct: Any,
    compact: bool = True,
    with_ids: bool = False,
    high_contrast: bool = True,
    colorCodes: Mapping[str, str] | None = None,
    max_label_size: int = 70,
    var_with_name_simple: bool = False,
) -> Picture:
    """The picture of a graph; parameters and errors as for ``pydotprint``."""
    inputs, outputs = _ends(fct)
    drawing = _Drawing(
        inputs, outputs, compact, with_ids, COLORS if colorCodes is None else colorCodes,
        max_label_size, var_with_name_simple,
    )  # fmt: skip
    return Picture(tuple(drawing.boxes), tuple(drawing.arrows), high_contrast)


def _ends(fct: Any) -> tuple[list[Variable], list[Variable]]:
    """The inputs that count as such and the outputs of what is to be drawn."""
    if isinstance(fct, Variable):
        fct = [fct]
    elif isinstance(fct, Apply):
        fct = fct.outputs
    if isinstance(fct, (list, tuple)):
        roots = traverse.roots(fct)
        return [v for v in roots if not isinstance(v, Constant)], list(fct)
    graph = function_graph(fct)
    return list(graph.inputs), list(graph.outputs)


def _target(outfile: str | os.PathLike[str] | None, format: str) -> tuple[str, str]:
    """The path to write, and the format that its ending says."""
    if outfile is None:
        name = f"theano.pydotprint.{config.device.replace(':', '_')}.{format}"
        os.makedirs(config.compiledir, exist_ok=True)
        return os.path.join(config.compiledir, name), format
    path = os.fspath(outfile)
    ending = os.path.splitext(path)[1].lstrip(".").lower()
    return (path, ending) if ending else (f"{path}.{format}", format)


def write_picture(picture: Picture, path: str, kind: str) -> str:
    """Write in the format ``kind``; returns the path written, which may end in .svg instead."""
    program = None if kind in OWN else shutil.which("dot")
    if kind not in OWN and program is None:
        instead = os.path.splitext(path)[0] + ".svg"
        warnings.warn(
            f"{kind} pictures are drawn by Graphviz, whose program `dot` was not found: {instead} "
            "is written instead. Install Graphviz (`apt install graphviz`, `brew install graphviz`,"
            " `conda install graphviz`), or ask for format='svg'.",
            stacklevel=3,
        )
        path, kind = instead, "svg"
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    if program is not None:
        import subprocess  # slow to import, rarely needed

        command = [program, f"-T{kind}", "-o", path]
        done = subprocess.run(
            command, input=picture.dot(), text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise ValueError(f"Graphviz could not write {path}: {done.stderr.strip()}")
        return path
    with open(path, "w", encoding="utf-8") as file:
        file.write(OWN[kind](picture))
    return path


class _Drawing:
    """Collects the boxes and arrows of a graph, in topological order."""

    def __init__(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], compact: bool,
        with_ids: bool, colors: Mapping[str, str], limit: int, simple: bool,
    ) -> None:  # fmt: skip
        self.inputs = set(inputs)
        self.outputs = set(outputs)
        self.compact = compact
        self.colors = colors
        self.limit = limit
        self.simple = simple
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self._shown: set[Any] = set()
        self.steps = traverse.toposort(outputs, self.inputs)
        self._used = {v for node in self.steps for v in node.inputs}
        for number, node in enumerate(self.steps):
            self._step(node, f"{number} " if with_ids else "")
        for variable in outputs:
            self._variable(variable)

    def _step(self, node: Apply, mark: str) -> None:
        for parent in node.inputs:
            if self._is_box(parent):
                self._variable(parent)
        label = f"{mark}{node.op}"
        self._box(Box(node, self._cut(label), "ellipse", self._color(str(node.op))))
        several = len(node.inputs) > 1
        for position, parent in enumerate(node.inputs):
            source = parent if self._is_box(parent) else parent.owner
            text = f"{position} {parent.type}" if several else str(parent.type)
            color = self._arrow_color(node, position)
            self.arrows.append(Arrow(source, node, self._cut(text), color))
        for variable in node.outputs:
            if variable in self.outputs or (self._is_box(variable) and variable in self._used):
                self._variable(variable)
                self.arrows.append(Arrow(node, variable, str(variable.index or "")))

    def _is_box(self, variable: Variable) -> bool:
        if variable.owner is None or variable in self.inputs or variable in self.outputs:
            return True
        return not self.compact or variable.name is not None

    def _variable(self, variable: Variable) -> None:
        if variable not in self._shown:
            self._shown.add(variable)
            self._box(Box(variable, self._cut(self._label(variable)), "box", self._paint(variable)))

    def _box(self, box: Box) -> None:
        self.boxes.append(box)

    def _label(self, variable: Variable) -> str:
        if variable.name is not None:
            return variable.name if self.simple else f"name={variable.name} {variable.type}"
        if isinstance(variable, Constant):
            return f"val={variable.data} {variable.type}"
        return str(variable.type)

    def _paint(self, variable: Variable) -> str:
        if variable in self.outputs:
            return OUTPUT
        if isinstance(variable, Constant):
            return CONSTANT
        if hasattr(variable, "container"):
            return SHARED
        return INPUT if variable.owner is None else "white"

    def _color(self, name: str) -> str:
        return next((color for part, color in self.colors.items() if part in name), "white")

    def _arrow_color(self, node: Apply, position: int) -> str:
        if position in _positions(node.op.destroy_map):
            return "red"
        return "blue" if position in _positions(node.op.view_map) else "black"

    def _cut(self, text: str) -> str:
        text = " ".join(text.split())
        return text if len(text) <= self.limit else text[: self.limit - 3] + "..."


def _positions(mapping: Mapping[int, Iterable[int]]) -> set[int]:
    return {position for positions in mapping.values() for position in positions}
