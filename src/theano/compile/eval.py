"""``variable.eval({input: value})``: compile once per set of inputs, and call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theano.compile.function import function
from theano.graph.nodes import Variable
from theano.graph.registry import register


def evaluate(variable: Variable, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
    """The value of ``variable`` when other variables have the given values.

    Parameters
    ----------
    variable : any variable.
    inputs_to_values : values by variable; any ancestor may be given, intermediate ones too. Values
        are converted as on a call of a function: lists and numbers are accepted.

    The function is compiled on the first use with these keys and kept on the variable. Raises
    TypeError for keys that are not variables, and what ``theano.function`` and its call raise.

    >>> import theano.tensor as T
    >>> x = T.dscalar("x")
    >>> evaluate(x + 1, {x: 2})
    array(3.)
    """
    values = {} if inputs_to_values is None else inputs_to_values
    if not isinstance(values, Mapping):
        raise TypeError(f"eval takes a dictionary from variables to values, got {values!r}.")
    for key in values:
        if not isinstance(key, Variable):
            raise TypeError(
                f"The keys of the dictionary given to eval must be variables, got {key!r} "
                f"({type(key).__name__})."
            )
    inputs = tuple(sorted(values, key=id))
    cache = variable.__dict__.setdefault("_fn_cache", {})
    compiled = cache.get(inputs)
    if compiled is None:
        compiled = cache[inputs] = function(list(inputs), variable, name=f"{variable}.eval")
    return compiled(*[values[key] for key in inputs])


register("eval", evaluate)
