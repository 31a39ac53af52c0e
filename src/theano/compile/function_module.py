"""Functions and what makes them, under the old address."""

from __future__ import annotations

from typing import Any

from theano.compile.callable import Function
from theano.compile.io import In, Out, SymbolicInput, SymbolicOutput
from theano.compile.maker import FunctionMaker
from theano.core.errors import AliasedMemoryError, MissingInputError, UnusedInputError

__all__ = [
    "AliasedMemoryError", "Function", "FunctionMaker", "MissingInputError", "Supervisor",
    "UnusedInputError", "convert_function_input", "orig_function", "register_checker",
]  # fmt: skip


class Supervisor:
    """Old code attaches it to graphs to protect inputs; nothing here ever overwrites inputs."""

    def __init__(self, protected: Any) -> None:
        self.protected = list(protected)


def convert_function_input(input: Any) -> Any:
    """One entry of ``inputs`` as an In: a variable, an In, (variable, value), [name, variable, …].

    Raises TypeError for anything else.
    """
    if isinstance(input, SymbolicInput):
        return input
    if not isinstance(input, (list, tuple)):
        return In(input)
    items = list(input)
    name = items.pop(0) if items and (items[0] is None or isinstance(items[0], str)) else None
    if not items:
        raise TypeError(f"Nonsensical input specification: {input!r}")
    update = None
    value = items[1] if len(items) > 1 else None
    if isinstance(items[0], (list, tuple)):
        items[0], update = items[0]
    return In(items[0], name=name, value=value, update=update)


def orig_function(
    inputs: Any, outputs: Any, mode: Any = None, accept_inplace: bool = False,
    name: str | None = None, profile: Any = None, on_unused_input: str | None = None,
    output_keys: Any = None,
) -> Function:  # fmt: skip
    """A Function from In and Out objects, without givens and updates of shared variables."""
    params = [convert_function_input(x) for x in inputs]
    several = isinstance(outputs, (list, tuple))
    outs = [x if isinstance(x, SymbolicOutput) else Out(x) for x in outputs] if several else (
        outputs if isinstance(outputs, SymbolicOutput) else Out(outputs)
    )  # fmt: skip
    maker = FunctionMaker(
        params, outs, mode=mode, accept_inplace=accept_inplace, profile=profile,
        on_unused_input=on_unused_input, output_keys=output_keys, name=name,
    )  # fmt: skip
    made: Function = maker.create()
    return made


def register_checker(checker: Any) -> None:
    """Accepted for old code: outputs never share memory here, so nothing needs to be checked."""
