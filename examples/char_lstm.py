"""A recurrent network learns Python's own documentation, letter by letter, and writes some.

    python examples/char_lstm.py [--fast] [--out FOLDER]

The LSTM (Hochreiter and Schmidhuber, 1997) runs over time in one native loop (``theano.scan``), its
gradient in another; letters are drawn by the trick of Gumbel: the maximum of logits plus noise.
Writes the cost of training and the text.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from shared import adam, options, parameter, pyplot, save

import theano
import theano.tensor as T
from theano.cli.progress import Progress
from theano.tensor.random import RandomStream

TOPICS = ("assignment", "binary", "bltin-functions", "calls", "class", "comparisons", "compound",
          "context-managers", "customization", "exceptions", "execmodel", "for", "function", "if",
          "import", "integers", "lambda", "naming", "objects", "sequence-types", "shifting", "try",
          "types", "while", "with", "yield")  # fmt: skip


def text_of_python() -> str:
    """Part of the language reference, which comes with Python for ``help()``."""
    topics = importlib.import_module("pydoc_data.topics").topics
    return "\n".join(topics[name] for name in TOPICS if name in topics)


class Network:
    """An LSTM between an embedding of letters and the scores of the next one."""

    def __init__(self, letters: int, hidden: int, rng: np.random.Generator) -> None:
        def normal(rows: int, columns: int, name: str) -> Any:
            return parameter(rng.normal(0, 1 / np.sqrt(rows), (rows, columns)), name)

        self.hidden = hidden
        self.table = normal(letters, 4 * hidden, "table")
        self.again = normal(hidden, 4 * hidden, "again")
        bias = np.zeros(4 * hidden)
        bias[hidden : 2 * hidden] = 1  # remember, to begin with
        self.bias = parameter(bias, "bias")
        self.out = normal(hidden, letters, "out")
        self.offset = parameter(np.zeros(letters), "offset")
        self.parameters = [self.table, self.again, self.bias, self.out, self.offset]

    def step(self, x: Any, h: Any, c: Any, again: Any) -> tuple[Any, Any]:
        """One letter; ``x`` is its row of the table."""
        gates = x + T.dot(h, again)
        n = self.hidden
        enter, keep, leave = (T.nnet.sigmoid(gates[:, i * n : (i + 1) * n]) for i in range(3))
        c = keep * c + enter * T.tanh(gates[:, 3 * n :])
        return leave * T.tanh(c), c

    def scores(self, letters: Any) -> Any:
        """Scores of the next letters, for letters (time, batch)."""
        start = T.zeros((letters.shape[1], self.hidden), "float32")
        (states, _), _ = theano.scan(
            self.step, sequences=self.table[letters] + self.bias, outputs_info=[start, start],
            non_sequences=[self.again],
        )  # fmt: skip
        return T.dot(states, self.out) + self.offset

    def writer(self, count: int, seed: int) -> Any:
        """A function of (first letters, temperature) that writes ``count`` more letters."""
        first, temperature = T.lvector("first"), T.fscalar("temperature")
        noise = RandomStream(seed).gumbel(size=(count, self.offset.shape[0]), dtype="float32")
        zero = T.zeros((1, self.hidden), "float32")
        (h, c), _ = theano.scan(
            self.step, sequences=self.table[first[:, None]] + self.bias, outputs_info=[zero, zero],
            non_sequences=[self.again],
        )  # fmt: skip

        def write(noise: Any, letter: Any, h: Any, c: Any, *weights: Any) -> Any:
            table, bias, again, out, offset = weights
            h, c = self.step(table[letter][None, :] + bias, h, c, again)
            scores = (T.dot(h, out) + offset)[0]
            return T.argmax(scores / temperature + noise), h, c

        weights = [self.table, self.bias, self.again, self.out, self.offset]
        (letters, _, _), _ = theano.scan(
            write, sequences=noise, outputs_info=[first[-1], h[-2], c[-2]], non_sequences=weights
        )
        return theano.function([first, temperature], letters)


def main(argv: Sequence[str] | None = None) -> str:
    """Train, draw, write; gives the text."""
    given = options(__doc__.splitlines()[0], argv)
    text = text_of_python()
    if given.fast:
        text = text[:20_000]
    alphabet = sorted(set(text))
    number = {letter: i for i, letter in enumerate(alphabet)}
    data = np.array([number[letter] for letter in text])
    rng = np.random.default_rng(given.seed)
    network = Network(len(alphabet), 32 if given.fast else 224, rng)

    letters, rate = T.lmatrix("letters"), T.fscalar("rate")
    scores = network.scores(letters[:-1])
    flat = scores.reshape((-1, scores.shape[2]))
    losses = T.nnet.categorical_crossentropy(T.nnet.softmax(flat), letters[1:].flatten())
    cost = losses.mean()
    updates = adam(cost, network.parameters, rate, clip=1.0)
    train = theano.function([letters, rate], cost, updates=updates)

    steps, batch, length = (60, 16, 40) if given.fast else (2500, 32, 64)
    bar = Progress(f"{len(text)} letters", steps)
    costs = []
    for step in range(steps):
        starts = rng.integers(0, len(data) - length - 1, batch)
        part = data[starts + np.arange(length + 1)[:, None]]
        costs.append(float(train(part, np.float32(6e-3 * (1 - 0.95 * step / steps)))))
        bar.show(step + 1, f"{np.mean(costs[-50:]) / np.log(2):.2f} bits per letter")

    start = "The "
    write = network.writer(100 if given.fast else 600, given.seed + 1)
    found = write(np.array([number[letter] for letter in start]), np.float32(0.5))
    written = start + "".join(alphabet[i] for i in found)
    print(f"\n{written}\n")  # noqa: T201
    (given.out / "char_lstm.txt").write_text(written + "\n", encoding="utf-8")

    figure, axis = pyplot().subplots(figsize=(7, 4))
    smooth = np.convolve(np.array(costs) / np.log(2), np.ones(20) / 20, "valid")
    axis.plot(np.arange(len(smooth)) + 20, smooth)
    axis.set(xlabel="step", ylabel="bits per letter", title="An LSTM reads Python's documentation")
    axis.grid(alpha=0.3)
    save(figure, given.out / "char_lstm.png")
    return written


if __name__ == "__main__":
    main()
