"""``shared``: from a value to a variable that functions share, by a registry of constructors."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from theano.graph.generic import generic
from theano.graph.nodes import Variable
from theano.graph.shared import ScalarSharedVariable, SharedVariable, TensorSharedVariable
from theano.graph.sparse_type import is_scipy
from theano.graph.tensor_type import TensorType

Constructor = Callable[..., SharedVariable]


def shared(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    **kwargs: Any,
) -> Any:
    """A variable with a value that compiled functions read and update.

    Parameters
    ----------
    value : an ndarray gives a tensor (copied unless ``borrow``), a number a scalar of NumPy's own
        dtype (a float is float64 whatever floatX), anything else (lists too) a generic variable.
    name : shown in graphs.
    strict, allow_downcast : how ``set_value`` converts.
    kwargs : ``borrow=True`` keeps the very array; ``broadcastable`` gives the pattern of a tensor,
        by default no dimension is broadcastable, even of size 1; ``target`` names a device.

    Raises TypeError for a symbolic variable, or when no constructor takes the value and arguments.

    >>> import numpy as np
    >>> shared(np.zeros((2, 3), "float32"), name="w").type
    TensorType(float32, matrix)
    >>> shared(0.0).type
    TensorType(float64, scalar)
    """
    if isinstance(value, Variable):
        raise TypeError(
            "Shared variables are made from values, not from symbolic variables: "
            f"got {value} of type {value.type}. Give its value, or use the expression itself."
        )
    for constructor in reversed(constructors):
        try:
            variable = constructor(
                value, name=name, strict=strict, allow_downcast=allow_downcast, **kwargs
            )
        except TypeError:
            continue
        except MemoryError as error:
            error.args = (*error.args, "Shared variables copy their value: try borrow=True.")
            raise
        return _with_trace(variable)
    raise TypeError(
        "No suitable SharedVariable constructor could be found. Are all keyword arguments "
        f"supported ({', '.join(sorted(kwargs)) or 'none given'})? dtype and type are not: convert "
        f"the value first. value={_short(value)!s} of {type(value).__name__}"
    )


def _with_trace(variable: SharedVariable) -> SharedVariable:
    from theano.core import trace
    from theano.core.config import config

    variable.tag.__dict__["trace"] = trace.capture(config.traceback.limit)
    return variable


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def shared_constructor(constructor: Constructor, remove: bool = False) -> Constructor:
    """Register ``constructor(value, name, strict, allow_downcast, **kw)``; the newest comes first.

    It raises TypeError for what it does not take. ``remove`` takes it out again.
    """
    if remove:
        constructors.remove(constructor)
    else:
        constructors.append(constructor)
    return constructor


def generic_constructor(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    target: str | None = None,
) -> SharedVariable:
    """Any object, kept as it is."""
    return SharedVariable(name, generic, value, strict, allow_downcast)


def random_constructor(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    target: str | None = None,
) -> SharedVariable:
    """A NumPy RandomState or Generator: a copy of it unless ``borrow``."""
    # Asking for the classes by name keeps numpy.random out of the import of theano.
    classes = type(value).__mro__
    kinds = {kind.__name__ for kind in classes if kind.__module__.startswith("numpy.random")}
    if not kinds & _RANDOM:
        raise TypeError("not a random state")
    if "RandomState" in kinds:
        from theano.ops.random_state import randomstate_constructor

        return randomstate_constructor(value, name, strict, allow_downcast, borrow, target)
    if not borrow:
        value = copy.deepcopy(value)
    return SharedVariable(name, generic, value, strict, allow_downcast)


_RANDOM = {"RandomState", "Generator"}


def tensor_constructor(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    broadcastable: Any = None,
    target: str = "cpu",
) -> TensorSharedVariable:
    """An ndarray; no dimension is broadcastable unless ``broadcastable`` says so."""
    if target != "cpu":
        raise TypeError("tensor_constructor makes variables on the CPU only")
    # The first test is no shortcut only: asking for numpy.ma imports it, which is slow.
    plain = type(value) is np.ndarray
    if not plain and (not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray)):
        raise TypeError("tensor_constructor takes an ndarray")
    if broadcastable is None:
        broadcastable = (False,) * value.ndim
    kind = TensorType(str(value.dtype), broadcastable)
    data = np.asarray(value) if borrow else np.array(value, copy=True, subok=False)
    return TensorSharedVariable(name, kind, data, strict, allow_downcast)


def scalar_constructor(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    target: str = "cpu",
) -> ScalarSharedVariable:
    """A Python or NumPy number: a 0-d array of the dtype that NumPy gives it."""
    if target != "cpu":
        raise TypeError("scalar_constructor makes variables on the CPU only")
    if not isinstance(value, (np.number, np.bool_, float, int, complex)):
        raise TypeError("scalar_constructor takes a number")
    data = np.array(value)
    return ScalarSharedVariable(name, TensorType(str(data.dtype), ()), data, strict, allow_downcast)


def sparse_constructor(value: Any, **kwargs: Any) -> SharedVariable:
    """A SciPy sparse matrix."""
    if not is_scipy(value):
        raise TypeError("not a sparse matrix")
    from theano.compile import shared_sparse

    return shared_sparse.sparse_constructor(value, **kwargs)


constructors: list[Constructor] = [
    generic_constructor,
    random_constructor,
    sparse_constructor,
    tensor_constructor,
    scalar_constructor,
]
shared.constructors = constructors  # type: ignore[attr-defined]
