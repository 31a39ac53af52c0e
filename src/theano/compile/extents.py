"""What a rewritten graph that is run node by node no longer checks: extents that must be equal.

``x + zeros_like(y)`` is rewritten to ``x``; a call in which the lengths of x and y differ has to
fail all the same. Compiled functions check that at the beginning of their Program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Variable


class Extents:
    """The extents of ``inputs`` that ``outputs``, as they were written, need to be equal."""

    def __init__(self, outputs: Sequence[Variable], inputs: Sequence[Variable]) -> None:
        from theano.lower.demands import equal_extents  # not needed before the first call

        self.groups = equal_extents(outputs, inputs)

    def differ(self, values: Sequence[Any]) -> bool:
        """Whether some extents of ``values`` of the inputs are not as they must be."""
        for number, places in self.groups:
            found = {_extent(values[position], axis) for position, axis in places}
            if len(found) > 1 or (number is not None and found != {number}):
                return True
        return False


def _extent(value: Any, axis: int | None) -> int:
    return int(value) if axis is None else np.shape(value)[axis]
