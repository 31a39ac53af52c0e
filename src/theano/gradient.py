"""Differentiation, under the names of Theano's ``theano.gradient``."""

from theano.autodiff.check import numeric_grad, verify_grad
from theano.autodiff.forward import Rop
from theano.autodiff.jacobian import hessian, jacobian
from theano.autodiff.modifiers import (
    ConsiderConstant,
    DisconnectedGrad,
    GradClip,
    GradScale,
    UndefinedGrad,
    ZeroGrad,
    consider_constant,
    consider_constant_,
    disconnected_grad,
    disconnected_grad_,
    grad_clip,
    grad_scale,
    undefined_grad,
    undefined_grad_,
    zero_grad,
    zero_grad_,
)
from theano.autodiff.reverse import Lop, connection_pattern, format_as, grad, subgraph_grad
from theano.autodiff.reverse import is_zero as _is_zero
from theano.core.errors import DisconnectedInputError, GradientError, NullTypeGradError
from theano.graph.null_types import (
    DisconnectedType,
    NullType,
    grad_not_implemented,
    grad_undefined,
)

__all__ = [
    "ConsiderConstant",
    "DisconnectedGrad",
    "DisconnectedInputError",
    "DisconnectedType",
    "GradClip",
    "GradScale",
    "GradientError",
    "Lop",
    "NullType",
    "NullTypeGradError",
    "Rop",
    "UndefinedGrad",
    "ZeroGrad",
    "_is_zero",
    "connection_pattern",
    "consider_constant",
    "consider_constant_",
    "disconnected_grad",
    "disconnected_grad_",
    "format_as",
    "grad",
    "grad_clip",
    "grad_not_implemented",
    "grad_scale",
    "grad_undefined",
    "hessian",
    "jacobian",
    "numeric_grad",
    "subgraph_grad",
    "undefined_grad",
    "undefined_grad_",
    "verify_grad",
    "zero_grad",
    "zero_grad_",
]
