"""The type of NumPy's legacy random states, and drawing from one without changing it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.generic import SingletonType
from theano.graph.nodes import Apply
from theano.graph.null_types import grad_undefined
from theano.graph.shared import SharedVariable
from theano.runtime import mt19937
from theano.runtime.randomstate import copy_state


class Drawing:
    """What ops that draw share. ``no_gradient`` says why they have no gradient.

    Their results are the next state and the sample, or else they define ``R_op``.
    """

    no_gradient = ""

    def do_constant_folding(self, node: Apply) -> bool:
        """Never: a state is not a constant that may be shared, and samples may be large."""
        return False

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        return [grad_undefined(self, i, x, self.no_gradient) for i, x in enumerate(inputs)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None, None]


class RandomStateType(SingletonType):
    """Values are `numpy.random.RandomState` objects.

    >>> random_state_type.is_valid_value(np.random.RandomState(1))
    True
    """

    holds_values = False

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` itself, or TypeError."""
        if not self.is_valid_value(value):
            raise TypeError(
                f"Expected a numpy.random.RandomState, got {value!r} of {type(value).__name__}."
            )
        return value

    def is_valid_value(self, value: Any, strict: bool = True) -> bool:
        """Whether ``value`` is a RandomState."""
        # Without numpy.random, which is slow to import, there are no such values.
        module = sys.modules.get("numpy.random")
        return module is not None and isinstance(value, module.RandomState)

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether both would draw the same numbers."""
        first, second = a.get_state(), b.get_state()
        return all(np.array_equal(x, y) for x, y in zip(first, second, strict=True))

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Whether drawing from one changes the other."""
        return a is b or getattr(a, "_bit_generator", a) is getattr(b, "_bit_generator", b)

    def get_shape_info(self, obj: Any) -> None:
        """Nothing: random states have no shape."""
        return

    def get_size(self, shape_info: Any) -> int:
        """The bytes of a state."""
        return 4 * 624

    def __str__(self) -> str:
        return "RandomStateType"

    __repr__ = __str__


random_state_type = RandomStateType()


class RandomStateSharedVariable(SharedVariable):
    """A shared `numpy.random.RandomState`."""


def randomstate_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
    borrow: bool = False, target: str | None = None,
) -> RandomStateSharedVariable:  # fmt: skip
    """What ``theano.shared`` makes of a RandomState: a copy of it unless ``borrow``.

    Raises TypeError for anything else.
    """
    if not random_state_type.is_valid_value(value):
        raise TypeError(f"not a numpy.random.RandomState: {type(value).__name__}")
    state = value if borrow else copy_state(value)
    return RandomStateSharedVariable(name, random_state_type, state, strict, allow_downcast)


def draw(state: Any, name: str, args: tuple[Any, ...], size: Any, dtype: str) -> Any:
    """``state.name(*args, size=size)`` in ``dtype``; uniforms and normals by native code.

    The result is that of NumPy, bit for bit; ``state`` is advanced.
    """
    if name in ("uniform", "normal") and size is not None and dtype in ("float32", "float64"):
        found = _native(state, name, args, size, dtype)
        if found is not None:
            return found
    return getattr(state, name)(*args, size=size)


def _native(state: Any, name: str, args: tuple[Any, ...], size: Any, dtype: str) -> Any:
    if any(np.ndim(x) for x in args) or np.prod(size, dtype=float) < mt19937.LEAST:
        return None
    first, second = (float(x) for x in args)
    getattr(state, name)(first, second, size=0)  # refuses what NumPy refuses
    out = np.empty(size, dtype)
    scale = second - first if name == "uniform" else second
    return out if mt19937.fill(state, name, out, first, scale) else None
