"""Hamiltonian Monte Carlo draws from the posterior of a hierarchical model.

    python examples/hmc.py [--fast] [--out FOLDER]

The model is that of the radon data of Gelman and Hill ("Data analysis using regression and
multilevel/hierarchical models", 2007): measurements in many counties, each with a level and a floor
effect of its own, which have a common distribution. The data are made up here, so that the truth is
known. The sampler is that of Neal ("MCMC using Hamiltonian dynamics", 2011): a whole trajectory is
one compiled function, with a loop inside. Its step is found while it warms up by dual averaging
(Hoffman and Gelman, "The No-U-Turn sampler", 2014). Draws the posterior.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from shared import options, pyplot, save

import theano
import theano.tensor as T
from theano.cli.progress import Progress
from theano.tensor.random import RandomStream

COUNTIES = 60
TRUTH = {"level": 1.5, "floor effect": -0.7, "spread of levels": 0.4,
         "spread of floor effects": 0.35, "noise": 0.7}  # fmt: skip


def measurements(rng: np.random.Generator, count: int = 1500) -> tuple[Any, Any, Any]:
    """County, floor, and logarithm of the radon of each house."""
    level, effect, level_spread, effect_spread, noise = TRUTH.values()
    county = np.sort(rng.integers(0, COUNTIES, count))
    floor = (rng.random(count) < 0.4).astype("float64")
    levels = rng.normal(level, level_spread, COUNTIES)
    effects = rng.normal(effect, effect_spread, COUNTIES)
    return county, floor, rng.normal(levels[county] + effects[county] * floor, noise)


def log_density(q: Any, county: Any, floor: Any, radon: Any) -> Any:
    """The logarithm of the posterior, up to a constant; ``q`` holds level, floor effect, three
    logarithms of spreads, and the deviations of counties in units of the spreads."""
    level, effect = q[0], q[1]
    spreads = T.exp(q[2:5])
    levels = level + spreads[0] * q[5 : 5 + COUNTIES]
    effects = effect + spreads[1] * q[5 + COUNTIES :]
    residual = (radon - levels[county] - effects[county] * floor) / spreads[2]
    prior = -0.5 * ((q[:2] / 10) ** 2).sum() - 0.5 * (q[5:] ** 2).sum()
    prior += (-0.5 * spreads**2 + q[2:5]).sum()  # half-normal, as a density of logarithms
    return prior - 0.5 * (residual**2).sum() - radon.shape[0] * q[4]


def sampler(density: Any, seed: int, leaps: int) -> Any:
    """A function of (position, step) that gives the next position and the acceptance rate."""
    q, step = T.dvector("q"), T.dscalar("step")
    rng = RandomStream(seed)
    momentum = rng.normal(size=q.shape, dtype="float64")
    size = step * rng.uniform(0.8, 1.2, dtype="float64")  # so that no orbit closes

    def slope(position: Any) -> Any:
        return T.grad(density(position), position)

    def leap(q: Any, p: Any, size: Any) -> Any:
        p = p + 0.5 * size * slope(q)
        q = q + size * p
        return q, p + 0.5 * size * slope(q)

    (path, momenta), _ = theano.scan(
        leap, outputs_info=[q, momentum], non_sequences=[size], n_steps=leaps
    )
    end, last = path[-1], momenta[-1]
    gain = density(end) - density(q) - 0.5 * ((last**2).sum() - (momentum**2).sum())
    chance = T.switch(T.isnan(gain), 0.0, T.exp(T.minimum(gain, 0)))
    taken = T.lt(rng.uniform(dtype="float64"), chance)
    return theano.function([q, step], [T.switch(taken, end, q), chance])


def main(argv: Sequence[str] | None = None) -> Any:
    """Sample and draw; gives the draws of the five parameters all counties share."""
    given = options(__doc__.splitlines()[0], argv)
    county, floor, radon = measurements(np.random.default_rng(given.seed))
    draw = sampler(
        lambda q: log_density(q, *map(T.constant, (county, floor, radon))), given.seed, 20
    )
    warm, kept = (200, 200) if given.fast else (1000, 4000)
    bar = Progress("sampling", warm + kept)
    q, step, target = np.zeros(5 + 2 * COUNTIES), 0.02, 0.8
    centre, error, mean_step = np.log(10 * step), 0.0, 0.0
    draws, chances = [], []
    for i in range(warm + kept):
        q, chance = draw(q, step)
        if i < warm:  # dual averaging
            n = i + 1
            error += (target - chance - error) / (n + 10)
            now = centre - np.sqrt(n) / 0.05 * error
            mean_step += n**-0.75 * (now - mean_step)
            step = float(np.exp(now if n < warm else mean_step))
        else:
            draws.append(np.concatenate([q[:2], np.exp(q[2:5])]))
            chances.append(float(chance))
        bar.show(i + 1, f"step {step:.3f}")
    draws = np.array(draws)
    print(f"accepted: {np.mean(chances):.0%}")  # noqa: T201
    figure, axes = pyplot().subplots(1, 5, figsize=(15, 3))
    for axis, values, (name, truth) in zip(axes, draws.T, TRUTH.items(), strict=True):
        low, high = np.quantile(values, [0.03, 0.97])
        print(f"{name:24} {values.mean():7.3f}  [{low:.3f}, {high:.3f}]  truth {truth}")  # noqa: T201
        axis.hist(values, bins=40, density=True, color="#5a8fc7")
        axis.axvline(truth, color="#c8501e", lw=2)
        axis.set_title(name)
        axis.set_yticks([])
    figure.suptitle("posterior of the parameters that counties share, and the truth", y=1.08)
    save(figure, given.out / "hmc.png")
    return draws


if __name__ == "__main__":
    main()
