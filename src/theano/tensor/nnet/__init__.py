"""Functions of neural networks.

>>> import theano.tensor as T
>>> T.nnet.relu(T.vector("x")).ndim
1
"""

import importlib
from typing import Any, Final

from theano.tensor.nnet import bn, nnet
from theano.tensor.nnet.bn import *  # noqa: F403
from theano.tensor.nnet.nnet import *  # noqa: F403

#: names that are loaded when they are asked for: modules, and functions by their module
_MODULES: Final = (
    "abstract_conv", "blocksparse", "conv", "conv3d2d", "corr", "corr3d", "ctc", "layers", "modern",
    "neighbours", "opt", "sigm",
)  # fmt: skip
_CONVOLUTIONS: Final = (
    "AbstractConv2d", "AbstractConv2d_gradInputs", "AbstractConv2d_gradWeights", "AbstractConv3d",
    "AbstractConv3d_gradInputs", "AbstractConv3d_gradWeights", "bilinear_upsampling",
    "causal_conv1d", "conv2d", "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights",
    "conv2d_transpose", "conv3d", "conv3d_grad_wrt_inputs", "conv3d_grad_wrt_weights",
    "frac_bilinear_upsampling", "separable_conv2d", "separable_conv3d",
)  # fmt: skip

__all__ = ["bn", "nnet"]
__all__ += [*_MODULES, *_CONVOLUTIONS]
__all__ += bn.__all__
__all__ += nnet.__all__


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"theano.tensor.nnet.{name}")
    if name in _CONVOLUTIONS:
        home = (
            "theano.ops.conv_functions" if name == "conv2d" else "theano.tensor.nnet.abstract_conv"
        )
        value = globals()[name] = getattr(importlib.import_module(home), name)
        return value
    raise AttributeError(f"module 'theano.tensor.nnet' has no attribute {name!r}")
