"""NumPy's functions on symbolic arrays: ``np.exp(x)`` builds the graph of ``tensor.exp(x)``."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from theano.graph import registry
from theano.graph.numpy_table import ACCUMULATIONS, FUNCTIONS, REDUCTIONS, UFUNCS, Builder

_COMPARISONS: Final = frozenset(("less", "less_equal", "greater", "greater_equal"))
# NumPy's modules to ours, for functions that both have.
_MODULES: Final = {"": "theano.tensor", "linalg": "theano.tensor.nlinalg"}
_NOT_GIVEN: Final = ("None", "<no value>")  # what NumPy passes on in place of an argument


def without_truth(variable: Any) -> Any:
    """``variable``, which from now on raises when Python asks whether it is true."""
    variable._is_nonzero = False
    return variable


class NumpyProtocols:
    """Mixin: what NumPy asks of an object that its functions and operators meet."""

    __array_priority__ = 1000.0

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self} is symbolic and has no value to convert into a NumPy array: call .eval() on "
            "it, compile it with theano.function, or use theano.tensor's functions on it."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__":
            return _ufunc_method(name, method, inputs, kwargs)
        builder = UFUNCS.get(name, name)
        function = _find(builder)
        if kwargs or function is None:
            raise _unsupported(name, sorted(kwargs))
        if builder in ("eq", "neq") and not isinstance(inputs[0], NumpyProtocols):
            # `array == variable` arrives here too, and `==` means identity for variables.
            return builder == "neq"
        result = function(*inputs)
        return without_truth(result) if name in _COMPARISONS else result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = _name_of(func)
        if name == "size":
            return args[0].size if len(args) == 1 and not kwargs else args[0].shape[args[1]]
        builder, parameters = FUNCTIONS.get(name) or (_namesake(name), "*")
        function = _find(builder)
        if function is None:
            raise _unsupported(name)
        if parameters == "*":
            return function(*args, **kwargs)
        given, named = _arguments(name, parameters.split(), args, kwargs)
        return function(*given, **named)


def _namesake(name: str) -> str:
    """Where a function that is in no table would be, under NumPy's name."""
    folder, _, last = name.rpartition(".")
    return f"{_MODULES[folder]}:{last}" if folder in _MODULES else name


def _find(builder: Builder) -> Callable[..., Any] | None:
    """A builder: a name in the registry, ``module:name``, or a function; None if there is none."""
    if not isinstance(builder, str):
        return builder
    module, _, name = builder.rpartition(":")
    if not module:
        return functools.partial(registry.apply, name) if registry.known(name) else None
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def _name_of(func: Any) -> str:
    """NumPy's name of a function, below ``numpy``: ``sum``, ``linalg.inv``."""
    module = getattr(func, "__module__", "") or ""
    prefix = "linalg." if "linalg" in module else "fft." if ".fft" in module else ""
    return prefix + str(func.__name__)


def _unsupported(name: str, options: Sequence[str] = ()) -> TypeError:
    what = f"numpy.{name}" + (f" with {', '.join(options)}=" if options else "")
    return TypeError(
        f"{what} has no symbolic counterpart: build the expression with theano.tensor's functions, "
        "or call .eval() where a value is wanted, or make an op of it (theano.compile.ops.as_op)."
    )


def _arguments(
    name: str, parameters: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments for a builder: by position, and by keyword."""
    if len(args) > len(parameters):
        raise TypeError(f"numpy.{name} takes {len(parameters)} arguments, got {len(args)}")
    values = {p.lstrip("@-").partition("=")[0]: v for p, v in zip(parameters, args, strict=False)}
    values.update(kwargs)
    given: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in parameters:
        theirs, _, detail = parameter.lstrip("@-").partition("=")
        if theirs not in values:
            continue
        value = values.pop(theirs)
        if parameter[0] == "@":
            given.append(value)
        elif parameter[0] == "-":
            if repr(value) not in (*_NOT_GIVEN, *detail.split("|")):
                raise _unsupported(name, [theirs])
        elif repr(value) != "<no value>":
            named[detail or theirs] = value
    if values:
        raise _unsupported(name, sorted(values))
    return given, named


def _ufunc_method(name: str, method: str, inputs: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """``np.add.reduce(x)`` and its like."""
    options = {key: value for key, value in kwargs.items() if value is not None or key == "axis"}
    if method == "reduce" and name in REDUCTIONS and not options.keys() - {"axis", "keepdims"}:
        options.setdefault("axis", 0)
        return registry.apply(REDUCTIONS[name], *inputs, **options)
    if method == "accumulate" and name in ACCUMULATIONS and not options.keys() - {"axis"}:
        return registry.apply(ACCUMULATIONS[name], inputs[0], options.get("axis", 0))
    function = _find(UFUNCS.get(name, name))
    if method == "outer" and len(inputs) == 2 and not options and function is not None:
        x, y = (registry.apply("as_tensor_variable", value) for value in inputs)
        tall = registry.apply("dimshuffle", x, *range(x.type.ndim), *("x",) * y.type.ndim)
        return function(tall, y)
    raise _unsupported(f"{name}.{method}")
