"""``jit``: a plain Python function of arrays, compiled. ``value_and_grad``: with its gradient."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from theano.compile.function import function
from theano.graph.nodes import Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType

# Containers whose parts are arguments of their own; a leaf of another kind is static.
_LEAVES = (np.ndarray, np.generic, int, float, complex)


def jit(fn: Callable[..., Any] | None = None, *, static: Sequence[str | int] = (),
        **options: Any) -> Any:  # fmt: skip
    """Compile ``fn``, a Python function that does mathematics with its arguments.

    At the first call for a combination of dtypes and ranks the function is run once with symbolic
    variables in place of arrays, and what it returns is compiled. Later calls run native code; a
    new shape does not compile anew. Called with symbolic variables, it is just ``fn``.

    Parameters
    ----------
    fn : takes arrays and numbers, and lists, tuples and dicts of them; other arguments (strings,
        None, bool) are *static*: each of their values is a version of its own. It returns symbolic
        values, or (nested) lists, tuples or dicts of them.
    static : positions or names of further arguments to be taken as they are.
    options : passed on to ``theano.function``.

    Raises TypeError where a static argument has no hash or the result holds something else.

    >>> import numpy as np
    >>> import theano, theano.tensor as T
    >>> @theano.jit
    ... def norm(v, scale=2.0):
    ...     return {"norm": scale * T.sqrt((v**2).sum())}
    >>> float(norm(np.array([3.0, 4.0]))["norm"])
    10.0
    """
    if fn is None:
        return functools.partial(jit, static=static, **options)
    return Compiled(fn, tuple(static), options)


class Compiled:
    """A function with its compiled versions, by signature."""

    def __init__(
        self, fn: Callable[..., Any], static: tuple[str | int, ...], options: dict[str, Any]
    ) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.static = frozenset(static)
        self.options = options
        self.versions: dict[Any, tuple[Callable[..., Any], Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = [*enumerate(args), *sorted(kwargs.items())]
        leaves: list[Any] = []
        shape = tuple((key, _flatten(value, leaves, key in self.static)) for key, value in given)
        if any(isinstance(leaf, Variable) for leaf in leaves):
            return self.fn(*args, **kwargs)
        arrays = [_as_array(leaf) for leaf in leaves]
        signature = (shape, tuple((a.dtype.name, a.ndim) for a in arrays))
        version = self.versions.get(signature)
        if version is None:
            with self._lock:
                version = self.versions.get(signature)
                if version is None:
                    version = self.versions[signature] = self._compile(given, arrays)
        call, form = version
        return _rebuilt(form, iter(call(*arrays)))

    def _compile(self, given: Sequence[Any], arrays: Sequence[Any]) -> tuple[Any, Any]:
        variables = [TensorType(a.dtype.name, (False,) * a.ndim)() for a in arrays]
        supply = iter(variables)
        args, kwargs = [], {}
        for key, value in given:
            symbolic = value if key in self.static else _with(value, supply)
            if isinstance(key, int):
                args.append(symbolic)
            else:
                kwargs[key] = symbolic
        outputs: list[Any] = []
        form = _outputs(self.fn(*args, **kwargs), outputs)
        options = {"on_unused_input": "ignore", **self.options}
        return function(variables, outputs, **options), form


def value_and_grad(fn: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function that returns ``(fn(*args), gradient)`` of a scalar ``fn`` of symbolic arguments.

    ``argnums``: with respect to which arguments; a tuple gives a tuple of gradients.

    >>> import theano, theano.tensor as T
    >>> f = theano.jit(theano.value_and_grad(lambda x: (x**2).sum()))
    >>> [v.tolist() for v in f([1.0, 2.0])]
    [5.0, [2.0, 4.0]]
    """

    @functools.wraps(fn)
    def both(*args: Any, **kwargs: Any) -> Any:
        value = fn(*args, **kwargs)
        places = [argnums] if isinstance(argnums, int) else list(argnums)
        wrt = [args[i] for i in places]
        found = apply("grad", value, wrt)
        return value, found[0] if isinstance(argnums, int) else tuple(found)

    return both


# ---- arguments and results -----------------------------------------------------------------------


def _is_array(value: Any) -> bool:
    if isinstance(value, (Variable, *_LEAVES)) and not isinstance(value, bool):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and _numbers(value)


def _numbers(value: Any) -> bool:
    """Whether a list holds nothing but numbers, nested or not: it is an array then."""
    if isinstance(value, (list, tuple)):
        return all(map(_numbers, value))
    return isinstance(value, (int, float, complex)) and not isinstance(value, bool)


def _as_array(leaf: Any) -> Any:
    if isinstance(leaf, (float, list, tuple)):
        array = np.asarray(leaf)
        if array.dtype == np.float64:
            from theano.core.config import config

            array = array.astype(config.floatX)
        return array
    return np.asarray(leaf)


def _flatten(value: Any, leaves: list[Any], static: bool) -> Any:
    """The form of an argument; its arrays are appended to ``leaves``."""
    if not static and _is_array(value):
        leaves.append(value)
        return "array"
    if not static and isinstance(value, (list, tuple)):
        return (type(value).__name__, *(_flatten(v, leaves, False) for v in value))
    if not static and isinstance(value, dict):
        return ("dict", *((k, _flatten(value[k], leaves, False)) for k in sorted(value)))
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"jit: {value!r} is neither an array, a number nor a container of them, and has no "
            "hash, so it cannot be a static argument either"
        ) from None
    return ("static", type(value), value)


def _with(value: Any, supply: Iterator[Any]) -> Any:
    """An argument with variables in the places of its arrays."""
    if _is_array(value):
        return next(supply)
    if isinstance(value, (list, tuple)):
        return type(value)(_with(v, supply) for v in value)
    if isinstance(value, dict):
        return {k: _with(value[k], supply) for k in sorted(value)}
    return value


def _outputs(value: Any, outputs: list[Any]) -> Any:
    """The form of a result; its variables are appended to ``outputs``."""
    if isinstance(value, (list, tuple)):
        return (type(value), [_outputs(v, outputs) for v in value])
    if isinstance(value, dict):
        return (dict, [(k, _outputs(v, outputs)) for k, v in value.items()])
    if value is None:
        return (None, None)
    try:
        outputs.append(value if isinstance(value, Variable) else apply("as_tensor_variable", value))
    except TypeError as error:
        raise TypeError(f"jit: the function returned {value!r}, which is not symbolic") from error
    return (Variable, None)


def _rebuilt(form: Any, values: Iterator[Any]) -> Any:
    kind, parts = form
    if kind is Variable:
        return next(values)
    if kind is None:
        return None
    if kind is dict:
        return {k: _rebuilt(part, values) for k, part in parts}
    found = [_rebuilt(part, values) for part in parts]
    return kind(*found) if hasattr(kind, "_fields") else kind(found)
