"""Ops that ``theano.compile`` hands out, and ``as_op``: a Python function as an op."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from theano.graph.nodes import Apply, Type
from theano.ops.base import TensorOp
from theano.ops.extents import Shape, Shape_i, shape, shape_i
from theano.ops.misc import DeepCopyOp, ViewOp, deep_copy_op, view_op
from theano.ops.shape_checks import Rebroadcast, SpecifyShape, specify_shape

__all__ = [
    "DeepCopyOp", "FromFunctionOp", "OutputGuard", "Rebroadcast", "Shape", "Shape_i",
    "SpecifyShape", "ViewOp", "as_op", "deep_copy_op", "register_deep_copy_op_c_code",
    "register_rebroadcast_c_code", "register_shape_c_code", "register_shape_i_c_code",
    "register_specify_shape_c_code", "register_view_op_c_code", "shape", "shape_i",
    "specify_shape", "view_op",
]  # fmt: skip


def register_c_code(type: Any, code: Any = "", *more: Any, version: Any = (), **_: Any) -> None:
    """Accepted from old modules that define types: no C code is ever compiled."""


register_deep_copy_op_c_code = register_view_op_c_code = register_shape_c_code = register_c_code
register_shape_i_c_code = register_specify_shape_c_code = register_c_code
register_rebroadcast_c_code = register_c_code


class OutputGuard(ViewOp):
    """A view, which kept an output from being overwritten; nothing here does that."""


class FromFunctionOp(TensorOp):
    """An op that calls ``fn`` with arrays; see ``as_op``. It has no gradient."""

    __props__: ClassVar[tuple[str, ...]] = ("_fn", "_itypes", "_otypes")
    lowering = "python"
    why = "it calls a Python function"

    def __init__(
        self,
        fn: Callable[..., Any],
        itypes: Sequence[Type],
        otypes: Sequence[Type],
        infer_shape: Callable[..., Any] | None = None,
    ) -> None:
        self._fn = fn
        self._itypes = tuple(itypes)
        self._otypes = tuple(otypes)
        self.itypes = list(itypes)
        self.otypes = list(otypes)
        self._infer_shape = infer_shape

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Call the function; several results come as a list or tuple."""
        results = self._fn(*inputs)
        if not isinstance(results, (list, tuple)):
            results = (results,)
        if len(results) != len(output_storage):
            raise ValueError(
                f"{self}: the function gave {len(results)} results, otypes names "
                f"{len(output_storage)}"
            )
        for cell, result, output in zip(output_storage, results, node.outputs, strict=True):
            # A result that is an argument itself, or a part of it, is copied.
            shared = any(np.may_share_memory(result, value) for value in inputs)
            cell[0] = output.type.filter(np.array(result) if shared else result)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """What the user's ``infer_shape`` says; else only the call tells."""
        if self._infer_shape is None:
            return [None] * len(node.outputs)
        return self._infer_shape(node, input_shapes)

    def __str__(self) -> str:
        return f"FromFunctionOp{{{getattr(self._fn, '__name__', self._fn)}}}"

    def __reduce__(self) -> Any:
        """By the place of the decorated function in its module."""
        name = getattr(self._fn, "__name__", "")
        module = inspect.getmodule(self._fn)
        if module is None or getattr(module, name, None) is not self:
            raise pickle.PicklingError(
                f"{self} cannot be pickled: only ops made by decorating a function of a module can"
            )
        return _load, (module.__name__, name)


def _load(module: str, name: str) -> Any:
    return getattr(__import__(module, fromlist=[name]), name)


def as_op(
    itypes: Type | Sequence[Type],
    otypes: Type | Sequence[Type],
    infer_shape: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], FromFunctionOp]:
    """A decorator that turns a function of arrays into an op. It has no gradient.

    Parameters
    ----------
    itypes, otypes : types of the arguments and of the results, one type or a list of them.
    infer_shape : ``infer_shape(node, input_shapes)`` gives a shape for each output.

    Raises TypeError for what is not a type.

    >>> import numpy as np
    >>> import theano.tensor as T
    >>> @as_op(itypes=[T.dvector], otypes=[T.dvector])
    ... def doubled(x):
    ...     return np.add(x, x)
    >>> doubled([1.0, 2.0]).eval().tolist()
    [2.0, 4.0]
    """
    inputs = _types(itypes, "itypes")
    outputs = _types(otypes, "otypes")
    if infer_shape is not None and not callable(infer_shape):
        raise TypeError("as_op: infer_shape must be a function")

    def make(fn: Callable[..., Any]) -> FromFunctionOp:
        return FromFunctionOp(fn, inputs, outputs, infer_shape)

    return make


def _types(given: Any, what: str) -> list[Any]:
    kinds = list(given) if isinstance(given, (list, tuple)) else [given]
    if not all(isinstance(kind, Type) for kind in kinds):
        raise TypeError(f"as_op: {what} must be types such as theano.tensor.dvector, got {given!r}")
    return kinds
