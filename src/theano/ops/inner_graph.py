"""What ops that hold a graph share: the body of a function, and the step of a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from theano.graph.evaluate import reference_function
from theano.graph.nodes import Variable


class InnerGraph:
    """The graph from ``inner_inputs`` to ``inner_outputs``, which an op holds."""

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> None:
        self.inner_inputs = tuple(inputs)
        self.inner_outputs = tuple(outputs)
        self._call: Callable[..., Any] | None = None

    @property
    def inputs(self) -> list[Variable]:
        """The inner graph's inputs."""
        return list(self.inner_inputs)

    @property
    def outputs(self) -> list[Variable]:
        """The inner graph's outputs."""
        return list(self.inner_outputs)

    def reference_call(self) -> Callable[..., Any]:
        """A function that computes the inner outputs op by op; it is made once."""
        if self._call is None:
            self._call = reference_function(self.inner_inputs, self.inner_outputs)
        return self._call

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_call": None}
