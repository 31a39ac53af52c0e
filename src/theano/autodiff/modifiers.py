"""Identities that change the gradient that flows back through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import DisconnectedType, grad_undefined
from theano.graph.registry import apply, register
from theano.ops.base import TensorOp


class GradientModifier(TensorOp):
    """``x`` itself; subclasses define ``modify(x, g)``. The last rewrite pass removes it."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"
    view_map: Mapping[int, list[int]] = {0: [0]}

    def make_node(self, x: Any) -> Apply:
        """One input, an output of the same type."""
        x = x if isinstance(x, Variable) else apply("as_tensor_variable", x)
        return Apply(self, [x], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Sequence[Any]:
        """The shape of the input."""
        return input_shapes

    def expand(self, node: Apply) -> list[Variable]:
        """The input."""
        return [node.inputs[0]]

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """The input."""
        output_storage[0][0] = inputs[0]

    def modify(self, x: Variable, g: Variable) -> Variable:
        """The gradient to pass on."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does to gradients")

    def L_op(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable],
        output_grads: Sequence[Variable],
    ) -> list[Variable]:  # fmt: skip
        """``modify`` decides."""
        return [self.modify(inputs[0], output_grads[0])]

    def R_op(self, inputs: Sequence[Variable], eval_points: Sequence[Any]) -> list[Any]:
        """The direction, modified as a gradient would be."""
        if eval_points[0] is None:
            return [None]
        return [self.modify(inputs[0], eval_points[0])]


class ZeroGrad(GradientModifier):
    """Passes zeros back."""

    def modify(self, x: Variable, g: Variable) -> Variable:
        """Zeros."""
        result: Variable = apply("zeros_like", g)
        return result


class DisconnectedGrad(GradientModifier):
    """Passes nothing back: what is behind it counts as disconnected."""

    def modify(self, x: Variable, g: Variable) -> Variable:
        """Nothing."""
        return DisconnectedType()()

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Not connected."""
        return [[False]]


class ConsiderConstant(ZeroGrad):
    """The old form of ``ZeroGrad``."""


class UndefinedGrad(GradientModifier):
    """Its gradient is undefined."""

    def modify(self, x: Variable, g: Variable) -> Variable:
        """A NullType variable."""
        return grad_undefined(self, 0, x)


class GradClip(GradientModifier):
    """Clips the gradient between two numbers."""

    __props__ = ("clip_lower_bound", "clip_upper_bound")

    def __init__(self, clip_lower_bound: float, clip_upper_bound: float) -> None:
        if not clip_lower_bound <= clip_upper_bound:
            raise ValueError(
                f"grad_clip: lower bound {clip_lower_bound} is above upper bound {clip_upper_bound}"
            )
        self.clip_lower_bound = clip_lower_bound
        self.clip_upper_bound = clip_upper_bound

    def modify(self, x: Variable, g: Variable) -> Variable:
        """``g`` clipped."""
        low, high = (
            apply("constant", bound, dtype=g.type.dtype)
            for bound in (self.clip_lower_bound, self.clip_upper_bound)
        )
        result: Variable = apply("clip", g, low, high)
        return result


class GradScale(GradientModifier):
    """Multiplies the gradient by a number."""

    __props__ = ("multiplier",)

    def __init__(self, multiplier: float) -> None:
        self.multiplier = multiplier

    def modify(self, x: Variable, g: Variable) -> Variable:
        """``g`` times the multiplier, in its dtype."""
        factor = apply("constant", self.multiplier, dtype=g.type.dtype)
        result: Variable = apply("mul", g, factor)
        return result


zero_grad_ = ZeroGrad()
disconnected_grad_ = DisconnectedGrad()
undefined_grad_ = UndefinedGrad()
consider_constant_ = ConsiderConstant()


def zero_grad(x: Any) -> Variable:
    """``x``, whose gradient is zero."""
    result: Variable = zero_grad_(x)
    return result


def disconnected_grad(x: Any) -> Variable:
    """``x``, taken as a constant by ``grad``: an error if it is the only way to a ``wrt``."""
    result: Variable = disconnected_grad_(x)
    return result


def undefined_grad(x: Any) -> Variable:
    """``x``, whose gradient must not be asked for: NullTypeGradError."""
    result: Variable = undefined_grad_(x)
    return result


def consider_constant(x: Any) -> Variable:
    """Deprecated: use ``zero_grad`` or ``disconnected_grad``."""
    import warnings

    warnings.warn(
        "consider_constant() is deprecated, use zero_grad() or disconnected_grad() instead.",
        stacklevel=2,
    )
    result: Variable = consider_constant_(x)
    return result


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> Variable:
    """``x``, whose gradient is clipped elementwise between two numbers.

    >>> import theano, theano.tensor as T
    >>> x = T.dscalar("x")
    >>> float(theano.grad(theano.gradient.grad_clip(x, -1, 1) ** 2, x).eval({x: 2.0}))
    1.0
    """
    result: Variable = GradClip(lower_bound, upper_bound)(x)
    return result


def grad_scale(x: Any, multiplier: float) -> Variable:
    """``x``, whose gradient is multiplied by a number (-1 for a gradient reversal layer)."""
    result: Variable = GradScale(multiplier)(x)
    return result


register("zero_grad", zero_grad)
register("disconnected_grad", disconnected_grad)
register("grad_clip", grad_clip)
register("grad_scale", grad_scale)
