"""mgrid and ogrid: coordinates of the points of a grid, by slices."""

from __future__ import annotations

from typing import Any

from theano.graph.registry import apply


class Grid:
    """``grid[a:b:s, c:d]``: the coordinates along each dimension.

    >>> [axis.broadcastable for axis in ogrid[0:2, 0:3]]
    [(False, True), (True, False)]
    """

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: slice | tuple[slice, ...]) -> Any:
        if isinstance(key, slice):
            return _range(key)
        rank = len(key)
        axes = []
        for position, part in enumerate(key):
            pattern: list[Any] = ["x"] * rank
            pattern[position] = 0
            axes.append(apply("dimshuffle", _range(part), *pattern))
        if self.sparse:
            return axes
        ones = [apply("ones_like", axis) for axis in axes]
        return [
            apply("mul", *(axis if i == j else ones[j] for j in range(rank)))
            for i, axis in enumerate(axes)
        ]


def _range(part: slice) -> Any:
    if part.stop is None:
        raise ValueError("a slice of a grid needs an end: mgrid[0:5]")
    if isinstance(part.step, complex):
        raise NotImplementedError("a complex step (a number of points) is not implemented")
    step = 1 if part.step is None else part.step
    return apply("arange", 0 if part.start is None else part.start, part.stop, step)


mgrid = Grid(sparse=False)
ogrid = Grid(sparse=True)

__all__ = ["mgrid", "ogrid"]
