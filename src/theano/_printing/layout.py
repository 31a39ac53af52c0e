"""Drawing a directed graph in layers, as SVG, without a drawing program.

Ranks by longest path, order within ranks by barycentres, positions by a few relaxations: the method
of Sugiyama, Tagawa and Toda (1981) in its plainest form.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from theano.core.record import dataclass

ROW: Final = 74.0
GAP: Final = 22.0
HEIGHT: Final = 28.0
CHARACTER: Final = 7.0
SWEEPS: Final = 6
# Long edges bend around boxes by way points; beyond so many they are drawn straight.
WAYPOINTS: Final = 4000


@dataclass(frozen=True, slots=True)
class Box:
    """A node of a picture: an ellipse for a step, a rectangle for a variable."""

    key: Hashable
    label: str
    shape: str = "box"
    color: str = "white"


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge of a picture."""

    source: Hashable
    target: Hashable
    label: str = ""
    color: str = "black"


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes and the arrows between them. Notebooks show it as SVG.

    >>> picture = Picture((Box("x", "x"), Box("y", "exp", "ellipse")), (Arrow("x", "y", "in"),))
    >>> picture.svg().startswith("<svg"), picture.dot().splitlines()[0]
    (True, 'digraph G {')
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    filled: bool = True

    def dot(self) -> str:
        """The picture in Graphviz's language."""
        number = {box.key: f"n{i}" for i, box in enumerate(self.boxes)}
        style = "style=filled, fillcolor" if self.filled else "color"
        lines = [
            f"  {number[box.key]} [label={_quoted(box.label)}, shape={box.shape}, "
            f"{style}={_quoted(box.color)}];"
            for box in self.boxes
        ]
        lines += [
            f"  {number[arrow.source]} -> {number[arrow.target]} "
            f"[label={_quoted(arrow.label)}, color={_quoted(arrow.color)}];"
            for arrow in self.arrows
        ]
        return "\n".join(["digraph G {", *lines, "}", ""])

    def svg(self) -> str:
        """The picture as an SVG document."""
        places = arrange(self)
        widths = {box.key: box_width(box) for box in self.boxes}
        right = max((x + widths.get(key, 0.0) / 2 for key, (x, _) in places.items()), default=0.0)
        width = right + GAP
        height = max((y for _, y in places.values()), default=0.0) + ROW / 2
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="12">',
            '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
        ]
        parts += [_svg_arrow(arrow, places) for arrow in self.arrows]
        parts += [_svg_box(box, places[box.key], self.filled) for box in self.boxes]
        return "\n".join([*parts, "</svg>", ""])

    def _repr_svg_(self) -> str:
        return self.svg()


def _quoted(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{inner}"'


def _escape(text: str) -> str:
    return text.translate({38: "&amp;", 60: "&lt;", 62: "&gt;", 34: "&quot;"})


def box_width(box: Box) -> float:
    """How wide a box is drawn."""
    return max(30.0, CHARACTER * len(box.label) + (34 if box.shape == "ellipse" else 14))


def _svg_box(box: Box, place: tuple[float, float], filled: bool) -> str:
    x, y = place
    width = box_width(box)
    paint = f'fill="{box.color}" stroke="black"' if filled else f'fill="white" stroke="{box.color}"'
    if box.shape == "ellipse":
        outline = (
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{width / 2:.1f}" ry="{HEIGHT / 2}" {paint}/>'
        )
    else:
        outline = (
            f'<rect x="{x - width / 2:.1f}" y="{y - HEIGHT / 2:.1f}" width="{width:.1f}" '
            f'height="{HEIGHT}" {paint}/>'
        )
    label = _escape(box.label)
    return f'<g>{outline}<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{label}</text></g>'


def _svg_arrow(arrow: Arrow, places: Mapping[Hashable, tuple[float, float]]) -> str:
    (x0, y0), (x1, y1) = places[arrow.source], places[arrow.target]
    y0, y1 = y0 + HEIGHT / 2, y1 - HEIGHT / 2
    bends = [places[k] for k in _waypoint_keys(arrow, places)]
    points = [(x0, y0), *bends, (x1, y1)]
    path = f"M{x0:.1f} {y0:.1f}"
    for (ax, ay), (bx, by) in pairwise(points):
        middle = (ay + by) / 2
        path += f"C{ax:.1f} {middle:.1f} {bx:.1f} {middle:.1f} {bx:.1f} {by:.1f}"
    text = ""
    if arrow.label:
        (ax, ay), (bx, by) = points[-2:]
        text = (
            f'<text x="{(ax + bx) / 2 + 4:.1f}" y="{(ay + by) / 2 + 4:.1f}" font-size="9" '
            f'fill="#444">{_escape(arrow.label)}</text>'
        )
    line = f'<path d="{path}" fill="none" stroke="{arrow.color}" marker-end="url(#head)"/>'
    return line + text


def _waypoint_keys(arrow: Arrow, known: Mapping[Hashable, object]) -> list[Hashable]:
    keys: list[Hashable] = []
    while (arrow, len(keys)) in known:
        keys.append((arrow, len(keys)))
    return keys


def ranks(keys: Sequence[Hashable], arrows: Sequence[Arrow]) -> dict[Hashable, int]:
    """Rows from the top: each node below all that it comes from, sources just above their users.

    ``keys`` must be in topological order.
    """
    rank = dict.fromkeys(keys, 0)
    incoming: dict[Hashable, list[Hashable]] = {key: [] for key in keys}
    outgoing: dict[Hashable, list[Hashable]] = {key: [] for key in keys}
    for arrow in arrows:
        incoming[arrow.target].append(arrow.source)
        outgoing[arrow.source].append(arrow.target)
    for key in keys:
        rank[key] = max((rank[source] + 1 for source in incoming[key]), default=0)
    for key in keys:
        if not incoming[key] and outgoing[key]:
            rank[key] = min(rank[target] for target in outgoing[key]) - 1
    return rank


def arrange(picture: Picture) -> dict[Hashable, tuple[float, float]]:
    """The centre of each box, by its key, and way points of long arrows, by (arrow, number)."""
    rank = ranks([box.key for box in picture.boxes], picture.arrows)
    width: dict[Hashable, float] = {box.key: box_width(box) for box in picture.boxes}
    near: dict[Hashable, list[Hashable]] = {key: [] for key in rank}
    spans = sum(rank[a.target] - rank[a.source] - 1 for a in picture.arrows)
    for arrow in picture.arrows:
        chain: list[Hashable] = [arrow.source]
        if spans <= WAYPOINTS:
            for number in range(rank[arrow.target] - rank[arrow.source] - 1):
                key: Hashable = (arrow, number)
                rank[key], width[key], near[key] = rank[arrow.source] + number + 1, 4.0, []
                chain.append(key)
        chain.append(arrow.target)
        for a, b in pairwise(chain):
            near[a].append(b)
            near[b].append(a)
    rows: list[list[Hashable]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for key, row in rank.items():
        rows[row].append(key)
    x = _positions(rows, near, width)
    left = min((x[k] - width[k] / 2 for k in x), default=0.0)
    return {key: (x[key] - left + GAP, rank[key] * ROW + ROW / 2) for key in x}


def _positions(
    rows: Sequence[list[Hashable]],
    near: Mapping[Hashable, Sequence[Hashable]],
    width: Mapping[Hashable, float],
) -> dict[Hashable, float]:
    """Horizontal centres: rows are sorted by, and moved towards, the mean of their neighbours."""
    x: dict[Hashable, float] = {}
    for row in rows:
        _pack(row, dict.fromkeys(row, 0.0), width, x)
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = {
                key: sum(x[other] for other in near[key]) / len(near[key]) if near[key] else x[key]
                for key in row
            }
            row.sort(key=wanted.__getitem__)
            _pack(row, wanted, width, x)
    return x


def _pack(
    row: Sequence[Hashable],
    wanted: Mapping[Hashable, float],
    width: Mapping[Hashable, float],
    x: dict[Hashable, float],
) -> None:
    """Put a row where it wants to be, without overlaps: the mean of packing from either side."""
    edge = float("-inf")
    first: list[float] = []
    for key in row:
        first.append(max(wanted[key], edge + width[key] / 2))
        edge = first[-1] + width[key] / 2 + GAP
    edge = float("inf")
    for position in range(len(row) - 1, -1, -1):
        key = row[position]
        last = min(wanted[key], edge - width[key] / 2)
        edge = last - width[key] / 2 - GAP
        x[key] = (first[position] + last) / 2
