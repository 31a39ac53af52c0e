"""The exception classes of the whole package, under the names that scripts catch.

One place, so that a stage can raise what another stage catches without importing it.
Every message says what went wrong; `at=` adds where the user wrote it and `hint=` what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theano.core.trace import Trace


def compose(message: str, at: Trace | None = None, hint: str | None = None) -> str:
    """The full text of an error: message, then the place it was written, then the advice.

    Args:
        message: what went wrong, with shapes and dtypes.
        at: where the user wrote the offending expression, from `trace.capture`.
        hint: what to do about it.

    >>> compose("dot: (2, 3) and (4,) do not align", hint="transpose the second?")
    'dot: (2, 3) and (4,) do not align\\nHINT: transpose the second?'
    """
    parts = [message]
    if at:
        # Here and not above: the table of flags imports this module, and traces read a flag.
        from theano.core.trace import format_trace

        parts.append(f"Backtrace when the variable is created:\n{format_trace(at).rstrip()}")
    if hint:
        parts.append(f"HINT: {hint}")
    return "\n".join(parts)


class Located(Exception):
    """Base of errors that know where the user wrote something (`at`) and what to do (`hint`)."""

    def __init__(
        self, message: object = "", *args: object, at: Trace | None = None, hint: str | None = None
    ) -> None:
        text = compose(message, at, hint) if isinstance(message, str) else message
        super().__init__(text, *args)


class AsTensorError(Located, TypeError):
    """A value cannot become a tensor variable."""


class ShapeError(Located, ValueError):
    """Shapes do not fit together, or a shape could not be found out."""


class NotScalarConstantError(Exception):
    """The value of a scalar is asked for at build time, and it is not a constant."""


class EmptyConstantError(NotScalarConstantError):
    """A scalar constant is asked for, and the constant has no elements."""


class MissingInputError(Located):
    """A leaf of the graph, `variable`, is neither an input, nor shared, nor a constant."""

    def __init__(
        self,
        message: object = "",
        *args: object,
        variable: object = None,
        at: Trace | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, *args, at=at, hint=hint)
        self.variable = variable


class UnusedInputError(Located):
    """An input of `function` is not used by any output or update, or is given twice."""


class InconsistencyError(Located):
    """A graph would become invalid: a type does not fit, or a cycle would arise."""


class NullTypeGradError(Located, TypeError):
    """A gradient runs through an op whose gradient is not defined, or not implemented."""


class DisconnectedInputError(Located, ValueError):
    """A gradient is asked for with respect to something the cost does not depend on."""


class GradientError(Exception):
    """A symbolic gradient differs from the numerical one.

    Attributes say for which argument, at which flat position of which shape, the two values,
    and the errors beside the tolerances.
    """

    def __init__(
        self,
        arg: int,
        err_pos: int,
        shape: tuple[int, ...],
        val1: float,
        val2: float,
        abs_err: float,
        rel_err: float,
        abs_tol: float,
        rel_tol: float,
    ) -> None:
        super().__init__(arg, err_pos, shape, val1, val2, abs_err, rel_err, abs_tol, rel_tol)
        self.arg = arg
        self.err_pos = err_pos
        self.shape = shape
        self.val1 = val1
        self.val2 = val2
        self.abs_err = abs_err
        self.rel_err = rel_err
        self.abs_tol = abs_tol
        self.rel_tol = rel_tol

    def __str__(self) -> str:
        return (
            f"GradientError: numeric gradient and analytic gradient exceed tolerance:\n"
            f"    At position {self.err_pos} of argument {self.arg} with shape {self.shape},\n"
            f"        val1 = {self.val1:f}, val2 = {self.val2:f}\n"
            f"        abs. error = {self.abs_err:f}, abs. tolerance = {self.abs_tol:f}\n"
            f"        rel. error = {self.rel_err:f}, rel. tolerance = {self.rel_tol:f}"
        )


class ComplexError(NotImplementedError):
    """The operation has no meaning, or no implementation, for complex numbers."""


class MethodNotDefined(Located):
    """An op does not define the method that is asked of it."""


class AliasedMemoryError(Exception):
    """Two inputs share memory in a way that would let one overwrite the other.

    Args:
        a: the first of the two values.
        b: the second.
    """

    def __init__(self, a: object, b: object) -> None:
        super().__init__("two inputs share memory", a, b)
        self.a = a
        self.b = b


class TheanoConfigWarning(UserWarning):
    """A configuration flag is unknown, malformed, or could not be read."""


class MissingSpelling(LookupError):
    """A table has no row for a name: the message says which file to edit.

    Args:
        who: which table lacks it, or the whole message if nothing else is given.
        name: the name that was looked up.
        file: the file to edit.

    >>> print(MissingSpelling("cuda", "erfinv", "backends/cuda/prims.py"))
    cuda lacks 'erfinv': add it to backends/cuda/prims.py
    """

    def __init__(self, who: str, name: object = None, file: str = "") -> None:
        lacks = who if name is None else f"{who} lacks {name!r}"
        super().__init__(f"{lacks}: add it to {file}" if file else lacks)
        self.who = who
        self.name = name
        self.file = file

    def __reduce__(self) -> tuple[type[MissingSpelling], tuple[str, object, str]]:
        return type(self), (self.who, self.name, self.file)
