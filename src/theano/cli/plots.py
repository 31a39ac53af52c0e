"""The tour's pictures: by matplotlib where it is installed, else drawn and written here.

A picture drawn here is an array of pixels, uint8 of shape (height, width, 3), written as PNG
(W3C, *Portable Network Graphics*, 2003): one filtered, zlib-compressed block of scan lines.
"""

from __future__ import annotations

import importlib.util
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from theano.cli import glyphs


@dataclass(frozen=True)
class Curve:
    """A line through ``values``, one per epoch; dashed or not, in colour number ``colour``."""

    label: str
    values: tuple[float, ...]
    colour: int = 0
    dashed: bool = False


Colour = tuple[int, int, int]
INK: Final[Colour] = (45, 45, 50)
GRID: Final[Colour] = (225, 225, 228)
COLOURS: Final[tuple[Colour, ...]] = ((31, 90, 165), (214, 96, 36), (60, 140, 80), (130, 80, 150))


def have_matplotlib() -> bool:
    """Whether pictures can be drawn by matplotlib; it is not imported to find out."""
    return importlib.util.find_spec("matplotlib") is not None


def loss_curves(path: Path, curves: Sequence[Curve], title: str) -> None:
    """Draw curves over epochs 1, 2, … with a logarithmic vertical axis, as PNG."""
    if have_matplotlib():
        _loss_by_matplotlib(path, curves, title)
    else:
        write_png(path, draw_curves(curves, title))


def filters(path: Path, weights: Any, side: int, titles: Sequence[str], title: str) -> None:
    """Show each column of ``weights`` as an image of ``side`` × ``side`` pixels, as PNG.

    Blue weights speak against, red ones for; each image has its own scale.
    ``titles`` are written above the images of one row; empty: none.
    """
    tiles = [colours(column.reshape(side, side)) for column in weights.T]
    if have_matplotlib():
        _filters_by_matplotlib(path, tiles, titles, title)
    else:
        write_png(path, draw_tiles(tiles, titles, title))


def colours(image: Any) -> Any:
    """Blue for the negative, white for 0, red for the positive; the largest size is the darkest.

    >>> colours(np.array([[-1.0, 0.0, 1.0]])).tolist()
    [[[28, 78, 158], [255, 255, 255], [178, 24, 43]]]
    """
    scale = float(np.abs(image).max()) or 1.0
    strength = (np.abs(image) / scale)[..., None]
    ends = np.where(image[..., None] < 0, (28, 78, 158), (178, 24, 43))
    return np.rint(255 + strength * (ends - 255.0)).astype(np.uint8)


# ---- PNG


def write_png(path: Path, pixels: Any) -> None:
    """Write pixels, uint8 of shape (height, width, 3), as an 8-bit RGB image."""
    height, width, _ = pixels.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with its filter: 0, none
    lines[:, 1:] = pixels.reshape(height, 3 * width)
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


# ---- drawing


def canvas(height: int, width: int) -> Any:
    """A white picture."""
    return np.full((height, width, 3), 255, np.uint8)


def draw_path(
    pixels: Any, points: Sequence[tuple[float, float]], colour: Colour, thickness: int = 1,
    dashed: bool = False,
) -> None:  # fmt: skip
    """Straight lines from point to point, each (x, y)."""
    corners = np.asarray(points, float)
    lengths = np.hypot(*np.diff(corners, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    steps = np.arange(0.0, along[-1] + 0.5, 0.5)
    if dashed:
        steps = steps[steps % 16 < 9]
    across, down = (
        np.rint(np.interp(steps, along, line)).astype(int) - thickness // 2 for line in corners.T
    )
    for dx in range(thickness):
        for dy in range(thickness):
            pixels[down + dy, across + dx] = colour


def draw_text(pixels: Any, text: str, x: int, y: int, size: int = 2, colour: Colour = INK) -> None:
    """Text whose top left corner is at (x, y); a letter is ``6 size`` wide."""
    shape = np.kron(glyphs.bitmap(text), np.ones((size, size), bool))
    height, width = shape.shape
    pixels[y : y + height, x : x + width][shape] = colour


def mosaic(tiles: Sequence[Any], zoom: int, gap: int, head: int) -> Any:
    """Images side by side in rows of ten, each ``zoom`` times as large, ``head`` above each row."""
    side, columns = len(tiles[0]) * zoom, min(10, len(tiles))
    rows = -(-len(tiles) // columns)
    pixels = canvas(rows * (side + gap + head), columns * (side + gap))
    for number, tile in enumerate(tiles):
        y = number // columns * (side + gap + head) + head
        x = number % columns * (side + gap)
        pixels[y : y + side, x : x + side] = np.kron(tile, np.ones((zoom, zoom, 1), np.uint8))
    return pixels


def draw_tiles(tiles: Sequence[Any], titles: Sequence[str], title: str) -> Any:
    """Images side by side in rows of ten, enlarged, with a title above all and above each."""
    zoom = max(1, 112 // len(tiles[0]))
    gap, head, top = 8, 24 if titles else 0, 44
    images = mosaic(tiles, zoom, gap, head)
    height, width, _ = images.shape
    pixels = canvas(top + height, max(width, 12 * len(title) + gap) + gap)
    pixels[top:, gap : gap + width] = images
    draw_text(pixels, title, gap, 14)
    for number, text in enumerate(titles):
        cell = len(tiles[0]) * zoom + gap
        draw_text(pixels, text, gap + number * cell + (cell - gap) // 2 - 5, top)
    return pixels


def ticks(low: float, high: float) -> list[float]:
    """Round numbers 1, 2, 5 × 10^k in [low, high]; for a logarithmic axis.

    >>> ticks(0.04, 0.9)
    [0.05, 0.1, 0.2, 0.5]
    """
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    rounded = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [value for value in rounded if low <= value <= high]


def limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """The ends of a logarithmic axis that shows all values, or all but those that are 0."""
    values = [value for curve in curves for value in curve.values if value > 0] or [1.0]
    return 0.9 * min(values), 1.1 * max(values)


def draw_curves(curves: Sequence[Curve], title: str) -> Any:
    """Curves with axes and a legend."""
    left, right, top, bottom = 90, 860, 60, 470
    pixels = canvas(540, 900)
    low, high = limits(curves)
    longest = max(len(curve.values) for curve in curves)

    def x_of(epoch: float) -> float:
        return left + (right - left) * (epoch - 1) / max(1, longest - 1)

    def y_of(value: float) -> float:
        return bottom - (bottom - top) * math.log(max(value, low) / low) / math.log(high / low)

    draw_text(pixels, title, left, 22)
    for value in ticks(low, high):
        draw_path(pixels, [(left, y_of(value)), (right, y_of(value))], GRID)
        label = f"{value:g}"
        draw_text(pixels, label, left - 10 - 12 * len(label), int(y_of(value)) - 7)
    for epoch in range(5, longest + 1, 5):
        draw_path(pixels, [(x_of(epoch), top), (x_of(epoch), bottom)], GRID)
        draw_text(pixels, str(epoch), int(x_of(epoch)) - 6 * len(str(epoch)), bottom + 12)
    draw_text(pixels, "epoch", (left + right) // 2 - 30, bottom + 40)
    draw_path(pixels, [(left, top), (left, bottom), (right, bottom)], INK)
    for number, curve in enumerate(curves):
        colour = COLOURS[curve.colour % len(COLOURS)]
        points = [(x_of(i + 1), y_of(v)) for i, v in enumerate(curve.values)]
        draw_path(pixels, points, colour, 3, curve.dashed)
        y = top + 14 + 24 * number
        draw_path(pixels, [(right - 400, y + 7), (right - 364, y + 7)], colour, 3, curve.dashed)
        draw_text(pixels, curve.label, right - 352, y)
    return pixels


# ---- matplotlib


def _loss_by_matplotlib(path: Path, curves: Sequence[Curve], title: str) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure = Figure(figsize=(9, 5.4), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        axes.plot(
            range(1, len(curve.values) + 1),
            curve.values,
            label=curve.label,
            color=_fraction(COLOURS[curve.colour % len(COLOURS)]),
            linestyle="dashed" if curve.dashed else "solid",
            linewidth=2,
        )
    axes.set(title=title, xlabel="epoch", yscale="log", ylim=limits(curves))
    axes.set_yticks(ticks(*limits(curves)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=_fraction(GRID))
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=100)


def _filters_by_matplotlib(
    path: Path, tiles: Sequence[Any], titles: Sequence[str], title: str
) -> None:
    from matplotlib.figure import Figure

    zoom, gap, head = max(1, 112 // len(tiles[0])), 8, 32 if titles else 0
    images = mosaic(tiles, zoom, gap, head)
    height, width, _ = images.shape
    figure = Figure(figsize=(max(width, 1000) / 100, height / 100 + 0.5), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.imshow(images, interpolation="nearest")
    cell = len(tiles[0]) * zoom + gap
    for number, text in enumerate(titles):
        axes.text(number * cell + (cell - gap) / 2, head - 6, text, ha="center")
    figure.savefig(path, dpi=100)


def _fraction(colour: Colour) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour)
