"""The NumPy-like face of Theano: types, constructors and functions of symbolic arrays.

>>> import theano.tensor as T
>>> x, y = T.matrices("x", "y")
>>> T.exp(x + y).type
TensorType(float64, matrix)
"""

from typing import TYPE_CHECKING, Any

from theano.autodiff.check import numeric_grad, verify_grad
from theano.autodiff.forward import Rop
from theano.autodiff.jacobian import hessian, jacobian
from theano.autodiff.modifiers import consider_constant
from theano.autodiff.reverse import Lop, grad
from theano.compile.eval import evaluate as _evaluate  # noqa: F401  (enters "eval")
from theano.graph.shared import SharedVariable
from theano.ops import rows as _rows  # noqa: F401  (enters "map_rows")
from theano.tensor import (
    basic,
    elemwise,
    extra_ops,
    grids,
    nnet,
    opt,
    sharedvar,
    subtensor,
    transfers,
    types,
)
from theano.tensor import sort as _sorting  # (before the function of that name)
from theano.tensor import var as _classes  # noqa: F401  (before the function of that name)
from theano.tensor.basic import *  # noqa: F403
from theano.tensor.extra_ops import *  # noqa: F403
from theano.tensor.grids import *  # noqa: F403
from theano.tensor.sort import *  # noqa: F403
from theano.tensor.subtensor import *  # noqa: F403
from theano.tensor.transfers import *  # noqa: F403
from theano.tensor.types import *  # noqa: F403

__all__ = [
    "Lop",
    "Rop",
    "SharedVariable",
    "basic",
    "consider_constant",
    "elemwise",
    "extra_ops",
    "grad",
    "hessian",
    "jacobian",
    "nnet",
    "numeric_grad",
    "opt",
    "sharedvar",
    "subtensor",
    "types",
    "verify_grad",
]
__all__ += basic.__all__
__all__ += extra_ops.__all__
__all__ += grids.__all__
__all__ += _sorting.__all__
__all__ += subtensor.__all__
__all__ += transfers.__all__
__all__ += types.__all__

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """`imatrix` and its like are made by a table: type checkers cannot see them."""
