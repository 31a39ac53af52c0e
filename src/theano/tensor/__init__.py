"""The NumPy-like face of Theano: types, constructors and functions of symbolic arrays.

>>> import theano.tensor as T
>>> x, y = T.matrices("x", "y")
>>> T.exp(x + y).type
TensorType(float64, matrix)
"""

import importlib
from typing import Any

from theano.autodiff.check import numeric_grad, verify_grad
from theano.autodiff.forward import Rop
from theano.autodiff.jacobian import hessian, jacobian
from theano.autodiff.modifiers import consider_constant
from theano.autodiff.reverse import Lop, grad
from theano.compile.eval import evaluate as _evaluate  # noqa: F401  (enters "eval")
from theano.graph.shared import SharedVariable
from theano.tensor import (
    basic,
    elemwise,
    extra_ops,
    grids,
    io,
    nnet,
    opt,
    sharedvar,
    subtensor,
    transfers,
    type_other,
    types,
    utils,
)
from theano.tensor import sort as _sorting  # (before the function of that name)
from theano.tensor import var as _classes  # noqa: F401  (before the function of that name)
from theano.tensor.basic import *  # noqa: F403
from theano.tensor.elemwise import CAReduceDtype
from theano.tensor.extra_ops import *  # noqa: F403
from theano.tensor.grids import *  # noqa: F403
from theano.tensor.io import *  # noqa: F403
from theano.tensor.sort import *  # noqa: F403
from theano.tensor.subtensor import *  # noqa: F403
from theano.tensor.transfers import *  # noqa: F403
from theano.tensor.type_other import *  # noqa: F403
from theano.tensor.types import *  # noqa: F403

__all__ = [
    "CAReduceDtype",
    "Lop",
    "Rop",
    "SharedVariable",
    "basic",
    "consider_constant",
    "elemwise",
    "extra_ops",
    "grad",
    "hessian",
    "io",
    "jacobian",
    "nnet",
    "numeric_grad",
    "opt",
    "sharedvar",
    "subtensor",
    "type_other",
    "types",
    "utils",
    "verify_grad",
]
__all__ += basic.__all__
__all__ += extra_ops.__all__
__all__ += grids.__all__
__all__ += io.__all__
__all__ += _sorting.__all__
__all__ += subtensor.__all__
__all__ += transfers.__all__
__all__ += type_other.__all__
__all__ += types.__all__

#: modules that are loaded when they are asked for, and those of them that ``import *`` leaves out
_LATER = frozenset({
    "blas", "fft", "fourier", "linalg", "nlinalg", "random", "randomstreams", "raw_random",
    "shared_randomstreams", "signal", "slinalg",
})  # fmt: skip
_NOT_STARRED = frozenset(
    {"random", "randomstreams", "raw_random", "shared_randomstreams", "signal"}
)
__all__ += sorted(_LATER - _NOT_STARRED)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return importlib.import_module(f"theano.tensor.{name}")
    raise AttributeError(f"module 'theano.tensor' has no attribute {name!r}")
