"""``theano tour``: symbols at the prompt, then training on real handwritten digits."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from theano.backends.cpu import tiers
from theano.cli import digits as data
from theano.cli import plots, say, tour_models, tour_session
from theano.cli.progress import Progress
from theano.cli.tour_models import BATCH, Model, Recipe
from theano.core.config import change_flags, config

RULE: Final = 78


@dataclass(frozen=True)
class History:
    """What training gave, per epoch: mean cost, part of the held-out digits misread, seconds."""

    costs: tuple[float, ...]
    errors: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """A model trained in Theano and in NumPy."""

    recipe: Recipe
    compile_seconds: float
    ours: History
    numpy: History
    weights: Any


def main(arguments: Sequence[str]) -> int:
    """Run the tour; 2 for arguments that it does not know, 1 where no digits are installed."""
    parser = argparse.ArgumentParser("theano tour", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="fewer epochs: ready in 20 seconds")
    parser.add_argument("--out", default="tour_output", help="folder of pictures (%(default)s)")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:  # help, or a wrong argument: argparse has said it
        return int(stop.code or 0)
    start = time.perf_counter()
    with change_flags(floatX=config.floatX):  # the session changes it
        heading("A session")
        tour_session.play()
    with change_flags(floatX="float32"):
        status = train_all(options.fast, Path(options.out))
    say("", f"The tour took {time.perf_counter() - start:.1f} s.")
    return status


def heading(text: str) -> None:
    """A title with a rule under it."""
    say("", text, "=" * RULE)


def train_all(fast: bool, folder: Path) -> int:
    """Train every model, report, and draw; the exit status."""
    heading("Learning to read digits")
    try:
        digits = data.load()
    except data.DigitsMissing as error:
        sys.stderr.write(f"theano tour: {error}\n")
        return 1
    say(
        f"{digits.title}, {digits.side} x {digits.side} pixels: {len(digits.train_x)} to learn "
        f"from, {len(digits.test_x)} held out;",
        f"minibatches of {BATCH}, stochastic gradient descent, float32. The same model, written",
        "by hand in NumPy, does the same steps for comparison.",
    )
    results = []
    for recipe in tour_models.RECIPES:
        epochs = recipe.fast_epochs if fast else recipe.epochs
        results.append(train(recipe, digits, epochs, limit=2.0 if fast else 20.0))
        report(results[-1])
    return draw(results, digits.side, folder)


def train(recipe: Recipe, digits: data.Digits, epochs: int, limit: float) -> Result:
    """Train a model in Theano, then the same model in NumPy, that one ``limit`` seconds at most."""
    say("", recipe.title)
    begin = time.perf_counter()
    ours = recipe.symbolic(digits, recipe.start(digits.side**2))
    tiers.settle()  # the epochs are timed with the code that long runs get
    seconds = time.perf_counter() - begin
    numpys = recipe.numeric(digits, recipe.start(digits.side**2))
    batches = len(digits.train_x) // BATCH
    history = run_epochs(ours, epochs, batches, Progress("  Theano", epochs))
    numpys_history = run_epochs(numpys, epochs, batches, Progress("  NumPy ", epochs), limit)
    return Result(recipe, seconds, history, numpys_history, ours.weights())


def run_epochs(
    model: Model, epochs: int, batches: int, bar: Progress, limit: float = math.inf
) -> History:
    """So many passes over the training set; fewer if they take more than ``limit`` seconds."""
    costs: list[float] = []
    errors: list[float] = []
    seconds: list[float] = []
    while len(costs) < epochs and sum(seconds) < limit:
        begin = time.perf_counter()
        total = 0.0
        for i in range(batches):
            total += model.step(i)
        seconds.append(time.perf_counter() - begin)
        costs.append(total / batches)
        errors.append(model.errors())
        last = len(costs) == epochs or sum(seconds) >= limit
        bar.show(len(costs), f"cost {costs[-1]:.3f}  misread {errors[-1]:.1%}", last)
    return History(tuple(costs), tuple(errors), tuple(seconds))


def report(result: Result) -> None:
    """Accuracy, time, and how close the two versions stayed."""
    ours, numpys = result.ours, result.numpy
    mine, theirs = min(ours.seconds), min(numpys.seconds)
    epochs = len(numpys.costs)
    apart = max(abs(a - b) / b for a, b in zip(ours.costs[:epochs], numpys.costs, strict=True))
    say(
        f"  held-out accuracy  {1 - ours.errors[-1]:.3f}",
        f"  time of an epoch   {mine * 1e3:.1f} ms, NumPy {theirs * 1e3:.1f} ms "
        f"({theirs / mine:.1f} times as long)",
        f"  same results       the costs of {epochs} epochs differ from NumPy's by {apart:.0e} "
        "at most, relatively",
        f"  compiled in        {result.compile_seconds:.2f} s",
    )


def draw(results: Sequence[Result], side: int, folder: Path) -> int:
    """Write the pictures and say where; 1 if the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [folder / "loss.png"]
        curves = []
        for number, result in enumerate(results):
            name = result.recipe.name
            curves.append(plots.Curve(f"{name}: cost", result.ours.costs, number))
            curves.append(plots.Curve(f"{name}: misread", result.ours.errors, number, dashed=True))
        plots.loss_curves(
            written[0], curves, "Cost on the training set, and part of the held-out digits misread"
        )
        for result in results:
            recipe, weights = result.recipe, result.weights
            path = folder / f"filters_{recipe.name.lower().replace(' ', '_')}.png"
            plots.filters(path, weights, side, recipe.labels, recipe.caption)
            written.append(path)
    except OSError as error:
        sys.stderr.write(f"theano tour: no pictures: {error}\n")
        return 1
    say("", "Pictures:", *(f"  {os.fspath(path)}" for path in written))
    return 0
