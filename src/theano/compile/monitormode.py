"""MonitorMode: callbacks before and after each node of a run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from theano.compile.mode import Mode
from theano.graph.nodes import Apply


class MonitorMode(Mode):
    """Runs op by op, with ``pre_func`` and ``post_func`` called around each node.

    They are called as ``(index, node, fn)``; ``fn.inputs[k][0]`` and ``fn.outputs[k][0]`` are the
    values. ``optimizer`` and ``linker`` are as for Mode.
    """

    def __init__(
        self,
        pre_func: Callable[..., object] | None = None,
        post_func: Callable[..., object] | None = None,
        optimizer: Any = "default",
        linker: Any = None,
    ) -> None:
        self.pre_func = pre_func
        self.post_func = post_func
        super().__init__(linker, optimizer)

    def watchers(self, maker: Any) -> tuple[Any, Any]:
        """The two callbacks; one of them always exists, so that the run is op by op."""
        return self.pre_func or _nothing, self.post_func


def _nothing(index: int, node: Apply, fn: Any) -> None:
    """The callback that does nothing."""


def detect_nan(i: int, node: Apply, fn: Any) -> None:
    """A ``post_func`` that prints the first node whose output has a nan, with its values."""
    for output in fn.outputs:
        value = output[0]
        if isinstance(value, np.ndarray) and value.dtype.kind in "fc" and np.isnan(value).any():
            sys.stdout.write(
                f"*** NaN detected ***\n{i}: {node}\n"
                f"Inputs : {[cell[0] for cell in fn.inputs]}\n"
                f"Outputs: {[cell[0] for cell in fn.outputs]}\n"
            )
            break
