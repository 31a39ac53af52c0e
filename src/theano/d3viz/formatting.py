"""What a page shows: boxes with places and details, arrows, one view for each graph inside."""

from __future__ import annotations

from typing import Any

from theano._printing.layout import Picture, arrange, box_width
from theano._printing.picture import drawn
from theano.compile.errors import created_at
from theano.graph.nodes import Apply, Constant, Variable

__all__ = ["PyDotFormatter", "type_to_str", "views"]


def type_to_str(t: Any) -> str:
    """A type as short text.

    >>> import theano.tensor as T
    >>> type_to_str(T.dmatrix)
    'float64 matrix'
    """
    text = str(t)
    if text.startswith("TensorType("):
        return text[len("TensorType(") : -1].replace(", ", " ", 1)
    return text


def views(fct: Any, max_label_size: int = 50, **options: Any) -> list[dict[str, Any]]:
    """The graph and, after it, each graph inside of its nodes, as data for the page.

    Each has a ``title``, ``boxes`` (label, shape, color, place, width, details, and the number of
    the view ``inside``), ``arrows`` (numbers of boxes, label, color) and the still picture ``svg``.
    """
    profile = getattr(fct, "profile", None)
    times = dict(getattr(profile, "apply_time", None) or {})
    waiting: list[tuple[Any, str]] = [(fct, getattr(fct, "name", None) or "graph")]
    found: list[dict[str, Any]] = []
    for graph, title in waiting:  # grows while it is read
        picture = drawn(graph, max_label_size=max_label_size, **options)
        inside: dict[Any, int] = {}
        for box in picture.boxes:
            op = getattr(box.key, "op", None)
            if op is not None and getattr(op, "inner_outputs", None):
                inside[box.key] = len(waiting)
                waiting.append((list(op.inner_outputs), str(op)))
        found.append(_view(picture, title, inside, times))
    return found


def _view(
    picture: Picture, title: str, inside: dict[Any, int], times: dict[Any, float]
) -> dict[str, Any]:
    places = arrange(picture)
    number = {box.key: i for i, box in enumerate(picture.boxes)}
    slowest = max((times.get(key, 0.0) for key in number), default=0.0)
    boxes = []
    for box in picture.boxes:
        x, y = places[box.key]
        row: dict[str, Any] = {
            "label": box.label, "shape": box.shape, "color": box.color, "x": round(x, 1),
            "y": round(y, 1), "width": round(box_width(box), 1), "details": _details(box.key),
        }  # fmt: skip
        spent = times.get(box.key)
        if spent is not None:
            row["details"] += f"\ntime: {spent:.3e} s"
            row["heat"] = round(spent / slowest, 3) if slowest else 0.0
        if box.key in inside:
            row["inside"] = inside[box.key]
        boxes.append(row)
    arrows = [
        [number[arrow.source], number[arrow.target], arrow.label, arrow.color]
        for arrow in picture.arrows
    ]
    return {"title": title, "boxes": boxes, "arrows": arrows, "svg": picture.svg()}


def _details(key: Any) -> str:
    """What a page says about a node or a variable."""
    if isinstance(key, Apply):
        lines = [f"op: {key.op}", f"class: {type(key.op).__name__}"]
        lines += [f"input {i}: {type_to_str(v.type)}" for i, v in enumerate(key.inputs)]
        lines += [f"output {i}: {type_to_str(v.type)}" for i, v in enumerate(key.outputs)]
        return "\n".join(lines) + _place(key.outputs[0])
    lines = [f"name: {key.name}"] if key.name else []
    lines.append(f"type: {type_to_str(key.type)}")
    if isinstance(key, Constant):
        lines.append(f"value: {str(key.data)[:200]}")
    return "\n".join(lines) + _place(key)


def _place(variable: Variable) -> str:
    text = created_at(variable)
    return f"\n{text.strip()}" if text else ""


class PyDotFormatter:
    """Makes ``pydot`` graphs of Theano's graphs; raises ImportError where pydot is missing.

    Parameters: ``compact`` leaves out intermediate variables without a name. Calling it with what
    ``d3viz`` takes gives a ``pydot.Dot``. Pages and ``pydotprint`` do not need pydot.
    """

    def __init__(self, compact: bool = True) -> None:
        self.compact = compact

    def __call__(self, fct: Any, graph: Any = None) -> Any:
        try:
            import pydot
        except ImportError:
            raise ImportError(
                "PyDotFormatter makes graphs of the package pydot, which is not installed: "
                "`pip install pydot`. Without it, theano.d3viz.d3viz(f, 'graph.html') and "
                "theano.printing.pydotprint(f, 'graph.svg') draw the same graph."
            ) from None
        (made,) = pydot.graph_from_dot_data(drawn(fct, compact=self.compact).dot())
        if graph is None:
            return made
        for part in (*made.get_nodes(), *made.get_edges()):
            (graph.add_node if hasattr(part, "get_name") else graph.add_edge)(part)
        return graph
