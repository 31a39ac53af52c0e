"""``theano.function``: from inputs and outputs to something that can be called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from theano.compile.io import In, SymbolicInput, SymbolicOutput
from theano.compile.maker import FunctionMaker
from theano.compile.pfunc import iter_over_pairs, rebuild
from theano.core.errors import UnusedInputError
from theano.core.pause import without_gc
from theano.graph.nodes import Constant, Variable
from theano.graph.shared import SharedVariable


def function(
    inputs: Any,
    outputs: Any = None,
    mode: Any = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: Any = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: Any = None,
    on_unused_input: str | None = None,
) -> Any:
    """Compile a graph into a callable.

    Parameters
    ----------
    inputs : list of variables, In objects or pairs (variable, default). An intermediate variable
        may be an input: the graph is cut there.
    outputs : a variable (the call returns an array), a list (a list), a dictionary with string keys
        (a dictionary), or None (an empty list). Out(variable, borrow=True) allows aliasing.
    mode : a Mode or its name; by default ``config.mode``.
    updates : pairs shared variable, new value. All are computed from the old values and stored
        after the outputs are known; nothing is stored when the call raises.
    givens : pairs variable, replacement, applied to outputs and updates.
    no_default_updates : True, or a list of those whose ``default_update`` is not applied.
    accept_inplace : accepted for old scripts.
    name : shown in errors and profiles; by default the place of this call.
    rebuild_strict : givens must have the type of what they replace.
    allow_input_downcast : True converts arguments with loss; None only Python floats to floatX.
    profile : True or a ProfileStats collects times.
    on_unused_input : "raise", "warn" or "ignore"; by default ``config.on_unused_input``.

    Raises TypeError, ValueError, RuntimeError, UnusedInputError or MissingInputError, which name
    the variable and where it was created.

    >>> import theano.tensor as T
    >>> x = T.dscalar("x")
    >>> function([x], x * 2)(4.0)
    array(8.)
    """
    if not isinstance(inputs, (list, tuple)):
        raise Exception(
            "Input variables of a Theano function should be contained in a list, even when there "
            f"is a single input: write function([{inputs}], …)."
        )
    if name is None:
        frame = sys._getframe(1)
        name = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    params = [_as_in(entry, allow_input_downcast) for entry in inputs]
    outputs, keys, single = _outputs(outputs)
    variables = [param.variable for param in params]
    _refuse_duplicates(variables)
    givens = iter_over_pairs(givens)
    _refuse_replaced_inputs(variables, givens)
    wanted = [out.variable if isinstance(out, SymbolicOutput) else out for out in outputs]
    states = [param.update for param in params if param.update is not None]
    with without_gc():
        built = rebuild(
            wanted + states, variables, givens, updates, rebuild_strict, no_default_updates
        )
        outs = [
            SymbolicOutput(new, isinstance(old, SymbolicOutput) and old.borrow)
            for old, new in zip(outputs, built.outputs, strict=False)
        ]
        _set_states(params, built.outputs[len(wanted) :])
        maker = FunctionMaker(
            params + _shared_inputs(built.shared, dict(built.updates)),
            outs[0] if single else outs,
            mode=mode,
            accept_inplace=accept_inplace,
            profile=profile,
            on_unused_input=on_unused_input,
            output_keys=keys,
            name=name,
        )
        return maker.create()


def _as_in(entry: Any, allow_downcast: bool | None) -> In:
    """One element of ``inputs`` as an In of its own."""
    if isinstance(entry, (list, tuple)):
        if len(entry) != 2 or not isinstance(entry[0], Variable):
            raise TypeError(f"An input given as a tuple must be (variable, value), got {entry!r}.")
        entry = In(entry[0], value=entry[1])
    if isinstance(entry, SharedVariable):
        raise TypeError(
            f"Cannot use a shared variable ({entry}) as explicit input. Consider substituting a "
            "non-shared variable via the `givens` parameter."
        )
    if isinstance(entry, Constant):
        raise TypeError(
            f"Cannot use a constant ({entry}) as input: its value is known. Consider substituting "
            "a variable via the `givens` parameter."
        )
    if isinstance(entry, Variable):
        return In(entry, allow_downcast=allow_downcast)
    if not isinstance(entry, SymbolicInput):
        raise TypeError(f"Unknown parameter type: {type(entry)}: {entry!r}. Give variables or In.")
    _refuse_shared(entry.variable)
    own = In.__new__(In)
    own.__dict__.update({"value": None, "borrow": False, "shared": False, **entry.__dict__})
    if own.allow_downcast is None:
        own.allow_downcast = allow_downcast
    return own


def _refuse_shared(variable: Variable) -> None:
    if isinstance(variable, (SharedVariable, Constant)):
        _as_in(variable, None)


def _outputs(outputs: Any) -> tuple[list[Any], list[str] | None, bool]:
    """The outputs as a list, their keys (for a dictionary), and whether there is just one."""
    keys = None
    single = False
    if outputs is None:
        found = []
    elif isinstance(outputs, dict):
        if not all(isinstance(key, str) for key in outputs):
            raise AssertionError("The keys of a dictionary of outputs must be strings.")
        keys = sorted(outputs)
        found = [outputs[key] for key in keys]
    elif isinstance(outputs, (list, tuple)):
        found = list(outputs)
    else:
        found, single = [outputs], True
    for output in found:
        if not isinstance(output, (Variable, SymbolicOutput)):
            raise TypeError(
                "Outputs must be theano Variable or Out instances. Received "
                f"{output!r} of type {type(output)}."
            )
    return found, keys, single


def _refuse_duplicates(variables: Sequence[Variable]) -> None:
    first: dict[Variable, int] = {}
    for index, variable in enumerate(variables):
        if variable in first:
            raise UnusedInputError(
                f"Variable {variable} is used twice in inputs to theano.function, at indices "
                f"{first[variable]} and {index}. This would result in values provided for it being "
                "ignored. Please do not duplicate variables in the inputs list."
            )
        first[variable] = index


def _refuse_replaced_inputs(variables: Sequence[Variable], givens: list[tuple[Any, Any]]) -> None:
    inputs = set(variables)
    for old, _ in givens:
        if isinstance(old, Variable) and old in inputs:
            raise RuntimeError(
                f"You are trying to replace variable '{old}' through the `givens` parameter, but "
                "this variable is an input to your function. Replacing inputs is currently "
                "forbidden because it has no effect. To compute f(g(x)) from x, use "
                f"theano.clone(output, replace={{{old}: g({old})}}) as the output instead."
            )


def _set_states(params: list[In], found: list[Variable]) -> None:
    replaced = iter(found)
    for param in params:
        if param.update is not None:
            param.update = next(replaced)


def _shared_inputs(
    shared: list[SharedVariable], updates: dict[SharedVariable, Variable]
) -> list[In]:
    return [
        In(
            variable, value=variable.container, update=updates.get(variable),
            mutable=variable in updates, borrow=True, implicit=True, shared=True,
        )
        for variable in shared
    ]  # fmt: skip
