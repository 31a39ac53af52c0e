"""``MRG_RandomStreams``: random variables from the generator MRG31k3p, native and in parallel.

>>> import theano
>>> streams = MRG_RandomStreams(seed=12345)
>>> f = theano.function([], streams.uniform((2, 3)))
>>> f().shape
(2, 3)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from theano.autodiff.modifiers import undefined_grad
from theano.core import dtypes, trace
from theano.core.config import config
from theano.graph.nodes import Variable
from theano.graph.registry import apply
from theano.graph.shared import TensorSharedVariable
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.constants import get_vector_length, vector_entries
from theano.ops.random_mrg import ff_2p72, ff_2p134, mrg_uniform, substreams
from theano.ops.random_multinomial import ChoiceFromUniform, MultinomialFromUniform
from theano.runtime.routines.random import M1, M2

__all__ = ["MRG_RandomStreams", "ff_2p72", "ff_2p134", "guess_n_streams", "mrg_uniform"]

#: More streams than this are not worth their memory.
MOST_STREAMS: Final = 60 * 256
#: The standard deviation of a standard normal that is cut off at -2 and 2.
_TRUNCATED_STD: Final = 0.87962566103423978


def guess_n_streams(size: Any, warn: bool = False) -> int:
    """How many streams a sample of shape ``size`` is drawn from: a sixth of its elements.

    ``warn`` says so where the shape is not known and the largest number is taken.

    >>> guess_n_streams((100, 100))
    1666
    """
    if isinstance(size, (tuple, list)) and all(isinstance(n, (int, np.integer)) for n in size):
        count = math.prod(map(int, size))
        return min(count // 6 if count > 6 else count, MOST_STREAMS)
    if warn:
        trace.warn(
            "MRG_RandomStreams: the shape of the sample is not known, so it gets "
            f"{MOST_STREAMS} streams; nstreams=… chooses another number.",
            UserWarning,
        )
    return MOST_STREAMS


class MRG_RandomStreams:
    """Makes random variables, each with streams of its own.

    Parameters
    ----------
    seed : an int from 1 to 2147462578, or six ints: three below 2147483647 and three below
        2147462579, neither three all 0. The default makes every run alike.

    A random variable has ``rng`` (its shared state) and ``update``; functions advance the state at
    each call, unless ``no_default_updates`` says otherwise. The variables' streams are 2^134
    numbers apart, the streams of one variable 2^72.

    Gradients do not flow into the parameters of the distributions: asking for one raises
    NullTypeGradError. Write ``avg + std * streams.normal(size)`` for gradients in avg and std.

    >>> a, b = (MRG_RandomStreams(3).normal((4,)).eval() for _ in range(2))
    >>> bool((a == b).all())
    True
    """

    def __init__(self, seed: Any = 12345) -> None:
        self.state_updates: list[tuple[Any, Any, Any, int | None]] = []
        self.default_instance_seed = seed
        self.set_rstate(seed)

    def updates(self) -> list[tuple[Any, Any]]:
        """Pairs (state, next state) of all variables, for ``theano.function(updates=…)``."""
        return [(old, new) for old, new, _, _ in self.state_updates]

    # states --------------------------------------------------------------------------------------

    def set_rstate(self, seed: Any) -> None:
        """Let the next variable start at ``seed``. Raises ValueError or TypeError for a bad one."""
        if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
            if not 0 < seed < M2:
                raise ValueError(f"The seed should be from 1 to {M2 - 1}, got {seed}")
            self.rstate = np.full(6, seed, dtype="int32")
            return
        try:
            values = [int(n) for n in seed]
        except TypeError:
            values = []
        if len(values) != 6:
            raise TypeError(f"The seed should be one integer or six integers, got {seed!r}")
        for part, modulus in ((values[:3], M1), (values[3:], M2)):
            if not any(part) or not all(0 <= n < modulus for n in part):
                raise ValueError(
                    f"Of a seed of six integers, three should be from 0 to {modulus - 1} and not "
                    f"all 0, got {part}"
                )
        self.rstate = np.array(values, dtype="int32")

    def seed(self, seed: Any = None) -> None:
        """Seed all states anew; None means the seed that the object was made with."""
        self.set_rstate(self.default_instance_seed if seed is None else seed)
        for old, new, size, nstreams in self.state_updates:
            count = self.n_streams(size) if nstreams is None else nstreams
            dtype = new.owner.outputs[1].type.dtype
            old.set_value(self.get_substream_rstates(count, dtype), borrow=True)

    def n_streams(self, size: Any) -> int:
        """How many streams a sample of shape ``size`` gets."""
        return guess_n_streams(size)

    def inc_rstate(self) -> None:
        """Go on to the beginning of the next stream, 2^134 numbers later."""
        self.rstate = ff_2p134(self.rstate)

    def get_substream_rstates(self, n_streams: int, dtype: str, inc_rstate: bool = True) -> Any:
        """States of ``n_streams`` streams, 2^72 numbers apart; then ``inc_rstate``."""
        rows = substreams(self.rstate, n_streams)
        if inc_rstate:
            self.inc_rstate()
        return rows

    def pretty_return(
        self, node_rstate: Any, new_rstate: Any, sample: Any, size: Any, nstreams: int | None
    ) -> Any:
        """Tie a sample to its state: ``rng``, ``update``, ``default_update``."""
        sample.rng = node_rstate
        sample.update = (node_rstate, new_rstate)
        self.state_updates.append((node_rstate, new_rstate, size, nstreams))
        node_rstate.default_update = new_rstate
        return sample

    # distributions -------------------------------------------------------------------------------

    def uniform(
        self, size: Any, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
        dtype: str | None = None, nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Uniform numbers between ``low`` and ``high``, both excluded (but for rounding).

        Parameters
        ----------
        size : tuple of ints and 0-d integer variables, or an integer vector (of known length, or
            with ``ndim``). ValueError for an extent that is not positive.
        low, high : numbers or tensors that broadcast to ``size``.
        dtype : by default what floatX, ``low`` and ``high`` have together.
        nstreams : how many streams are used.
        """
        low, high = (
            undefined_grad(as_tensor_variable(low)),
            undefined_grad(as_tensor_variable(high)),
        )
        dtype = _dtype(dtype, low, high)
        sample = self._standard(size, ndim, dtype, nstreams)
        if _is_number(low, 0) and _is_number(high, 1):
            return sample
        low, high = cast(low, dtype), cast(high, dtype)
        result = sample * (high - low) + low
        if result.type.broadcastable != sample.type.broadcastable:
            raise NotImplementedError(
                f"Increase the size: low ({low.type}) and high ({high.type}) do not broadcast to "
                f"the shape of the sample, {size}"
            )
        return _tied(result, sample)

    def _standard(self, size: Any, ndim: int | None, dtype: str, nstreams: int | None) -> Any:
        extents = _extents(size, ndim)
        count = self.n_streams(extents) if nstreams is None else nstreams
        rows = self.get_substream_rstates(count, dtype)
        kind = TensorType("int32", (False, False))
        state = TensorSharedVariable(None, kind, rows)
        state.tag.is_rng = True
        new_state, sample = mrg_uniform.new(state, len(extents), dtype, extents)
        return self.pretty_return(state, new_state, sample, size=extents, nstreams=nstreams)

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
        dtype: str = "int64", nstreams: int | None = None, prob: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """1 with probability ``p``, else 0; ``n`` must be 1. ``prob`` is the old name of ``p``."""
        if n != 1:
            raise NotImplementedError("MRG_RandomStreams.binomial draws single trials: n=1")
        p = undefined_grad(as_tensor_variable(p if prob is None else prob))
        sample = self.uniform(size, ndim=ndim, nstreams=nstreams)
        return _tied(cast(apply("lt", sample, p), dtype), sample)

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: int | None = None,
        dtype: str = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Counts of ``n`` trials over each row of the matrix ``pvals``; no ``size`` or ``ndim``."""
        if pvals is None:
            raise TypeError("You have to specify pvals")
        _refuse("multinomial", size=size, ndim=ndim)
        pvals = undefined_grad(as_tensor_variable(pvals))
        if pvals.type.ndim != 2:
            raise NotImplementedError(f"multinomial: pvals must be a matrix, got {pvals.type}")
        numbers = self.uniform((_rows(pvals, n),), nstreams=nstreams)
        return _tied(MultinomialFromUniform(dtype)(pvals, numbers, n), numbers)

    def choice(
        self, size: Any = 1, a: Any = None, replace: bool = True, p: Any = None,
        ndim: int | None = None, dtype: str = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """``size`` different categories from each row of the matrix ``p``.

        Only ``replace=False`` and ``a=None`` are possible.
        """
        if replace:
            raise NotImplementedError(
                "MRG_RandomStreams.choice only works without replacement for now: replace=False"
            )
        if a is not None:
            raise TypeError("MRG_RandomStreams.choice: a is not used, leave it None")
        if p is None:
            raise TypeError("For now, p has to be specified in MRG_RandomStreams.choice.")
        _refuse("choice", ndim=ndim)
        p = undefined_grad(as_tensor_variable(p))
        if p.type.ndim != 2:
            raise NotImplementedError(f"choice: p must be a matrix, got {p.type}")
        numbers = self.uniform((_rows(p, size),), nstreams=nstreams)
        return _tied(ChoiceFromUniform(dtype, replace=False)(p, numbers, size), numbers)

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, replace: bool = False,
        ndim: int | None = None, dtype: str = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """The old name of ``choice``: ``n`` different categories of each row of ``pvals``."""
        warnings.warn(
            "MRG_RandomStreams.multinomial_wo_replacement() is deprecated and will be removed: "
            "use MRG_RandomStreams.choice().",
            DeprecationWarning,
            stacklevel=2,
        )
        _refuse("multinomial_wo_replacement", size=size)
        return self.choice(
            size=n, replace=replace, p=pvals, ndim=ndim, dtype=dtype, nstreams=nstreams
        )

    def normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: str | None = None, nstreams: int | None = None, truncate: bool = False,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Normal numbers of mean ``avg`` and standard deviation ``std``.

        ``truncate`` redraws what is more than two standard deviations off. G. Box, M. Muller,
        Annals of Mathematical Statistics 29 (1958): the first half of the uniform numbers gives
        radii, the second half angles.
        """
        avg, std = undefined_grad(as_tensor_variable(avg)), undefined_grad(as_tensor_variable(std))
        dtype = _dtype(dtype, avg, std)
        avg, std = cast(avg, dtype), cast(std, dtype)
        extents = _extents(size, ndim)
        count = _product(extents)
        even = count + count % 2
        numbers = self.uniform((even,), dtype=dtype, nstreams=nstreams)
        half = even // 2
        angle = numbers[half:] * np.array(2.0 * np.pi, dtype)
        directions = [apply("cos", angle), apply("sin", angle)]
        parts = [_radius(numbers[:half]) * d for d in directions]
        if truncate:
            parts = self._truncated(parts, directions, dtype, nstreams)
        samples = apply("join", 0, *parts)[:count]
        shaped = apply("reshape", samples, extents, ndim=len(extents))
        result = shaped * std + avg
        if result.type.ndim != len(extents):
            raise NotImplementedError(f"normal: avg and std do not broadcast to the size {size}")
        return _tied(result, numbers)

    def _truncated(
        self, parts: Sequence[Any], directions: Sequence[Any], dtype: str, nstreams: int | None
    ) -> list[Any]:
        """Keep what lies in [-2, 2]; give the rest new radii of at most 2."""
        outside = [apply("gt", abs(z), np.array(2, dtype)) for z in parts]
        wrong = [apply("nonzero", mask)[0] for mask in outside]
        right = [z[apply("nonzero", apply("invert", mask))] for z, mask in
                 zip(parts, outside, strict=True)]  # fmt: skip
        first = wrong[0].shape[0]
        fixes = self.uniform(
            (first + wrong[1].shape[0],), low=np.array(np.exp(-2.0), dtype), dtype=dtype,
            nstreams=nstreams,
        )  # fmt: skip
        radius = _radius(fixes)
        radii = (radius[:first], radius[first:])
        fixed = [r * d[w] for r, d, w in zip(radii, directions, wrong, strict=True)]
        return [right[0], fixed[0], right[1], fixed[1]]

    def truncated_normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: str | None = None, nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Normal numbers cut off at two deviations, then scaled to the deviation ``std``."""
        std = as_tensor_variable(std)
        scaled = std / as_tensor_variable(np.array(_TRUNCATED_STD, _dtype(dtype, std)))
        return self.normal(
            size, avg, scaled, ndim=ndim, dtype=dtype, nstreams=nstreams, truncate=True
        )


def _radius(numbers: Any) -> Any:
    """sqrt(-2 log u)."""
    return apply("sqrt", apply("log", numbers) * np.array(-2.0, numbers.type.dtype))


def _tied(result: Any, sample: Any) -> Any:
    """``result`` with the state of the uniform sample that it is made from."""
    if result is not sample:
        result.rng, result.update = sample.rng, sample.update
    return result


def _dtype(dtype: str | None, *params: Any) -> str:
    if dtype is None:
        return dtypes.upcast(config.floatX, *(x.type.dtype for x in params))
    return dtypes.dtype_name(config.floatX if dtype == "floatX" else dtype)


def _is_number(x: Any, value: int) -> bool:
    constant = x.owner.inputs[0] if x.owner is not None else x
    data = getattr(constant, "data", None)
    return data is not None and np.ndim(data) == 0 and bool(data == value)


def _refuse(name: str, **given: Any) -> None:
    for argument, value in given.items():
        if value is not None:
            raise ValueError(
                f"Provided a {argument} argument to MRG_RandomStreams.{name}, which does not use "
                f"the {argument} argument."
            )


def _rows(pvals: Any, n: Any) -> Any:
    """How many numbers ``n`` draws of each row need."""
    rows = pvals.type.shape[0]
    if rows is not None and isinstance(n, (int, np.integer)):
        return int(rows * n)
    return pvals.shape[0] * n


def _product(extents: Sequence[Any]) -> Any:
    if all(isinstance(n, int) for n in extents):
        return math.prod(extents)
    total: Any = 1
    for n in extents:
        total = n * total
    return cast(total, "int64")


def _extents(size: Any, ndim: int | None) -> tuple[Any, ...]:
    """The extents of a sample: ints, and 0-d variables."""
    if isinstance(size, (int, np.integer)):
        size = (size,)
    elif isinstance(size, np.ndarray):
        size = tuple(size.tolist())
    if isinstance(size, (tuple, list)):
        found = tuple(int(n) if isinstance(n, np.integer) else n for n in size)
        for n in found:
            if not isinstance(n, (int, Variable)):
                raise TypeError(f"size must be a tuple of int or a Theano variable, got {size!r}")
    else:
        found = _symbolic(size, ndim)
    if any(isinstance(n, int) and n <= 0 for n in found):
        raise ValueError("The specified size contains a dimension with value <= 0", size)
    if ndim is not None and ndim != len(found):
        raise ValueError(f"ndim is {ndim}, but the size {size} has {len(found)} dimensions")
    return found


def _symbolic(size: Any, ndim: int | None) -> tuple[Any, ...]:
    if not isinstance(size, Variable) or getattr(size.type, "ndim", None) not in (0, 1):
        raise TypeError(
            "size must be a tuple of int or a Theano variable with 1 dimension, got "
            f"{size!r} of {getattr(size, 'type', type(size).__name__)}"
        )
    if size.type.ndim == 0:
        return (size,)
    try:
        length = get_vector_length(size)
    except ValueError:
        if ndim is None:
            raise
        length = ndim
    return tuple(vector_entries(size, length))
