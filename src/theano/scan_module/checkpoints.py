"""``scan_checkpoints``: a long loop of which only every N-th state is kept.

Gradients compute the states in between again: memory for N + n/N states instead of n, for one more
forward pass (Chen, Xu, Zhang & Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.extents import size_of
from theano.scan_module.arguments import listed
from theano.scan_module.building import scan
from theano.updates import OrderedUpdates


def scan_checkpoints(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    name: str = "checkpointscan_fn",
    n_steps: Any = None,
    save_every_N: int = 10,
    padding: bool = True,
) -> tuple[Any, OrderedUpdates]:
    """Like ``scan``, but only every ``save_every_N``-th value is kept and returned.

    Outputs have one tap (-1) or none; sequences have no taps. With ``padding`` sequences are filled
    up with zeros to a multiple of N; without, the number of steps must be one.

    Raises ValueError for sequences with taps, for states with other taps, and if nothing says how
    many steps there are.
    """
    arrays, starts, fixed = (list(listed(x)) for x in (sequences, outputs_info, non_sequences))
    if any(isinstance(x, dict) for x in arrays):
        raise ValueError("scan_checkpoints: sequences must not have taps")
    if any(isinstance(x, dict) and x.get("taps", [-1]) not in ([-1], -1) for x in starts):
        raise ValueError("scan_checkpoints: outputs may only look back one step")
    starts = [x["initial"] if isinstance(x, dict) else x for x in starts]
    arrays = [apply("as_tensor_variable", x) for x in arrays]
    if n_steps is None and not arrays:
        raise ValueError("scan_checkpoints: give sequences or n_steps")
    steps = size_of(arrays[0], 0) if n_steps is None else n_steps
    every = int(save_every_N)
    if every < 1:
        raise ValueError(f"scan_checkpoints: save_every_N must be at least 1, got {save_every_N}")
    blocks = sizes.ceil_div(steps, every)
    if padding and arrays:
        arrays = [_padded(x, steps, every) for x in arrays]
    folded = [
        x[: sizes.mul(blocks, every)].reshape(
            sizes.vector([blocks, every, *(size_of(x, a) for a in range(1, x.type.ndim))]),
            ndim=x.type.ndim + 1,
        )
        for x in arrays
    ]
    count, memories = len(arrays), sum(x is not None for x in starts)

    def block(*args: Any) -> Any:
        values, updates = scan(
            fn, list(args[:count]), _starts_of(starts, args[count : count + memories]),
            list(args[count + memories :]), n_steps=every, name=f"{name}_inner", return_list=True,
        )  # fmt: skip
        return [v[-1] for v in values], updates

    return scan(
        block, folded, starts, fixed, n_steps=sizes.variable(blocks), name=name, strict=False,
    )  # fmt: skip


def _starts_of(starts: list[Any], values: Any) -> list[Any]:
    given = iter(values)
    return [None if x is None else next(given) for x in starts]


def _padded(x: Any, steps: Any, every: int) -> Any:
    """``x`` with rows of zeros up to a multiple of ``every``."""
    missing = sizes.sub(sizes.mul(sizes.ceil_div(steps, every), every), steps)
    row = [size_of(x, a) for a in range(1, x.type.ndim)]
    zeros = apply("zeros", sizes.vector([missing, *row]), dtype=x.type.dtype) if row else apply(
        "alloc", apply("zeros_like", x[0]), sizes.variable(missing))  # fmt: skip
    return apply("join", 0, x, zeros)
