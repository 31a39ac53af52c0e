"""What the examples share: options, digits, Adam, pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import theano
import theano.tensor as T
from theano.cli import digits


def options(description: str, argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line: ``--fast`` for a run of seconds, ``--out`` for where pictures go."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--fast", action="store_true", help="a run of seconds, as a test")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument(
        "--out", type=Path, default=Path("examples-output"), help="the folder of the pictures"
    )
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    return given


def load_digits(side: int | None = None) -> digits.Digits:
    """Handwritten digits, of this side if one is named; without them it says what adds some."""
    try:
        data = digits.load()
    except digits.DigitsMissing as error:
        raise SystemExit(str(error)) from error
    if side not in (None, data.side):
        raise SystemExit(f"this example is for images of {side} x {side} pixels: {digits.REMEDY}")
    return data


def parameter(values: Any, name: str) -> Any:
    """A shared variable of float32."""
    return theano.shared(np.asarray(values, "float32"), name=name)


def adam(
    cost: Any,
    parameters: Sequence[Any],
    rate: Any = 1e-3,
    clip: float | None = None,
    momentum: float = 0.9,
) -> list[tuple[Any, Any]]:
    """The updates of Adam (Kingma and Ba, 2015); ``clip`` bounds the norm of all gradients."""
    gradients = T.grad(cost, list(parameters))
    if clip is not None:
        norm = T.sqrt(sum((g**2).sum() for g in gradients))
        factor = T.minimum(1, np.float32(clip) / (norm + np.float32(1e-6)))
        gradients = [g * factor for g in gradients]
    count = theano.shared(np.float32(0), name="count")
    later = count + 1
    b1, b2 = np.float32(momentum), np.float32(0.999)
    scale = T.cast(rate, "float32") * T.sqrt(1 - b2**later) / (1 - b1**later)
    updates = [(count, later)]
    for p, g in zip(parameters, gradients, strict=True):
        mean, square = (theano.shared(np.zeros_like(p.get_value())) for _ in range(2))
        new_mean = b1 * mean + (1 - b1) * g
        new_square = b2 * square + (1 - b2) * g**2
        step = scale * new_mean / (T.sqrt(new_square) + np.float32(1e-8))
        updates += [(mean, new_mean), (square, new_square), (p, T.cast(p - step, "float32"))]
    return updates


def pyplot() -> Any:
    """Matplotlib's drawing functions, without a window; says how to get them."""
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise SystemExit("pictures need matplotlib: python -m pip install matplotlib") from error
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, path: Path) -> None:
    """Write a figure as PNG, and say where."""
    figure.savefig(path, dpi=110, bbox_inches="tight")
    pyplot().close(figure)
    print(f"wrote {path}")  # noqa: T201
