"""ScalarRow: everything about one elementwise op in one place, and the dtype rules rows share.

A row is a value: name, dtype rule, scalar body over kernel primitives, gradient, NumPy reference,
test domain. ``Elemwise(row)`` turns it into an op. Rows are looked up by name when unpickled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import COMPLEX, DISCRETE, FLOAT
from theano.core.errors import MissingSpelling
from theano.core.record import dataclass
from theano.graph import registry

DtypeRule = Callable[[Sequence[str]], str]
OperandRule = Callable[[Sequence[str], str], Sequence[str]]
Interval = tuple[float, float]

_TABLE: dict[str, ScalarRow] = {}


def to_output(inputs: Sequence[str], output: str) -> Sequence[str]:
    """Operand rule: every input is cast to the output's dtype."""
    return (output,) * len(inputs)


def to_upcast(inputs: Sequence[str], output: str) -> Sequence[str]:
    """Operand rule of comparisons: inputs are cast to the dtype that holds them all."""
    return (dtypes.promote(*inputs),) * len(inputs)


def as_given(inputs: Sequence[str], output: str) -> Sequence[str]:
    """Operand rule: inputs keep their dtypes."""
    return tuple(inputs)


@dataclass(frozen=True, eq=False)
class ScalarRow:
    """One elementwise op.

    Parameters
    ----------
    name : as in ``Elemwise{name}``; unique.
    arity : number of inputs, None for any number.
    dtype : input dtypes to output dtype; raises TypeError for inputs that the op refuses.
    ref : NumPy meaning, on arrays of the operand dtypes.
    body : ``body(k, *vals)`` gives the result Val; None if the op is not native (then ``why``).
    grad : ``grad(g, z, *inputs)`` gives one term per input, linear in ``g``; None stands for zero.
        A row without ``grad`` has no gradient.
    operands : to which dtypes inputs are cast before ``ref`` and ``body``.
    domain : the interval of sensible test data per input (the last one repeats).
    commutative, associative : what rewrites may do.
    infix : (symbol, precedence, associativity) for the pretty printer.
    display : how an op of this row prints; default ``Elemwise{name,no_inplace}``.
    cost : ``"heavy"`` where recomputing is worth avoiding.
    disconnected : positions of inputs on which the value does not depend.
    complex_grad : whether ``grad`` is right for complex dtypes.
    """

    name: str
    arity: int | None
    dtype: DtypeRule
    ref: Callable[..., Any]
    body: Callable[..., Any] | None = None
    grad: Callable[..., Sequence[Any]] | None = None
    operands: OperandRule = to_output
    domain: tuple[Interval, ...] = ((-3.0, 3.0),)
    commutative: bool = False
    associative: bool = False
    infix: tuple[str, int, str] | None = None
    display: str | None = None
    cost: str = "cheap"
    why: str = ""
    disconnected: tuple[int, ...] = ()
    complex_grad: bool = False

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        if _TABLE.get(self.name) is self:
            return find_row, (self.name,)
        return ScalarRow, tuple(getattr(self, field.name) for field in fields(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> ScalarRow:
        return self

    def __str__(self) -> str:
        return self.name

    def output_dtype(self, inputs: Sequence[str]) -> str:
        """The dtype of the result on inputs of these dtypes; TypeError names the op."""
        if self.arity is not None and len(inputs) != self.arity:
            raise TypeError(f"{self.name} takes {self.arity} inputs, got {len(inputs)}")
        try:
            return self.dtype(inputs)
        except TypeError as error:
            given = ", ".join(inputs)
            raise TypeError(f"{self.name}({given}): {error}") from None

    def evaluate(self, arrays: Sequence[Any], output: str) -> Any:
        """The reference on arrays that broadcast: operands cast, computed, cast to ``output``."""
        wanted = self.operands([a.dtype.name for a in arrays], output)
        values = [
            a.astype(kernel_dtype(w), copy=False) for a, w in zip(arrays, wanted, strict=True)
        ]
        with np.errstate(all="ignore"):
            return np.asarray(self.ref(*values)).astype(output, copy=False)

    def emit(self, k: Any, values: Sequence[Any], inputs: Sequence[str], output: str) -> Any:
        """The body on Vals of the dtypes ``inputs`` (float16 comes as float32; None: unused)."""
        if self.body is None:
            raise MissingSpelling(f"{self.name} has no scalar body ({self.why})")
        wanted = self.operands(inputs, output)
        vals = [
            None if v is None else k.cast(v, kernel_dtype(w))
            for v, w in zip(values, wanted, strict=True)
        ]
        return k.cast(self.body(k, *vals), kernel_dtype(output))

    def scalar_op(self) -> Any:
        """The op on single numbers that this row is of: what ``theano.scalar`` shows."""
        from theano.ops.scalar_library import op_of_row

        return op_of_row(self)

    def for_types(self, inputs: Sequence[str], output: str) -> ScalarRow:
        """The row for inputs of these dtypes; another where this has no code for them."""
        return self

    def interval(self, position: int) -> Interval:
        """The test domain of an input."""
        return self.domain[min(position, len(self.domain) - 1)]


def enter(row: ScalarRow) -> ScalarRow:
    """Put a row of the library into the table, so that it pickles by its name."""
    return _TABLE.setdefault(row.name, row)


def find_row(name: str) -> ScalarRow:
    """The row called ``name``; how pickled ops find theirs."""
    if name not in _TABLE:
        import importlib

        importlib.import_module("theano.ops.elementwise")
        if name.startswith("Cast{"):
            from theano.ops.rows_cast import cast_row

            return cast_row(name[5:-1])
    try:
        return _TABLE[name]
    except KeyError:
        raise MissingSpelling("elementwise", name, "ops/rows_*.py") from None


def kernel_dtype(dtype: str) -> str:
    """The dtype that scalar code computes in: float16 is storage only."""
    return "float32" if dtype == "float16" else dtype


class _Builders:
    """Graph builders by name, resolved when called: rows use each other's ops in gradients."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        builder = functools.partial(registry.apply, name)
        setattr(self, name, builder)
        return builder


t: Any = _Builders()


def literal(value: float, like: Any) -> Any:
    """A float constant in the gradient dtype of ``like``."""
    return t.constant(value, dtype=dtypes.gradient_dtype(like.dtype))


# dtype rules ---------------------------------------------------------------------------------


def refuse(inputs: Sequence[str], kinds: frozenset[str], what: str) -> None:
    """TypeError if an input is of the given dtypes."""
    if any(name in kinds for name in inputs):
        raise TypeError(what)


def upcast_out(inputs: Sequence[str]) -> str:
    """The upcast of all inputs."""
    return dtypes.upcast(*inputs)


def upcast_out_nobool(inputs: Sequence[str]) -> str:
    """The upcast of all inputs, which may not be bool."""
    result = dtypes.upcast(*inputs)
    if result == "bool":
        raise TypeError("bool output is not supported; use xor, invert or cast to an integer first")
    return result


def upcast_out_min8(inputs: Sequence[str]) -> str:
    """The upcast of all inputs; bool becomes int8."""
    return dtypes.NO_BOOL[dtypes.upcast(*inputs)]


def upcast_out_no_complex(inputs: Sequence[str]) -> str:
    """The upcast of all inputs, which may not be complex."""
    refuse(inputs, COMPLEX, "complex inputs are not supported")
    return dtypes.upcast(*inputs)


def true_div_out(inputs: Sequence[str]) -> str:
    """The upcast of all inputs; floatX where that is discrete."""
    return dtypes.true_div_dtype(*inputs)


def float_out(inputs: Sequence[str]) -> str:
    """Discrete inputs become floats by their width."""
    return dtypes.upgrade_to_float(*inputs)


def float_out_no_complex(inputs: Sequence[str]) -> str:
    """Discrete inputs become floats by their width; complex inputs are refused."""
    refuse(inputs, COMPLEX, "complex inputs are not supported")
    return dtypes.upgrade_to_float(*inputs)


def float64_out(inputs: Sequence[str]) -> str:
    """Always float64."""
    refuse(inputs, COMPLEX, "complex inputs are not supported")
    return "float64"


def same_out(inputs: Sequence[str]) -> str:
    """The first input's dtype."""
    return inputs[0]


def same_out_no_complex(inputs: Sequence[str]) -> str:
    """The first input's dtype, which may not be complex."""
    refuse(inputs, COMPLEX, "complex inputs are not supported")
    return inputs[0]


def same_out_min8(inputs: Sequence[str]) -> str:
    """The first input's dtype; bool becomes int8."""
    return dtypes.NO_BOOL[inputs[0]]


def same_out_float(inputs: Sequence[str]) -> str:
    """The first input's dtype, which must be a float."""
    refuse(inputs, DISCRETE | COMPLEX, "only floats are supported; cast the input first")
    return inputs[0]


def integers_out(inputs: Sequence[str]) -> str:
    """The upcast of all inputs, which must be integers or bool."""
    refuse(inputs, FLOAT | COMPLEX, "bitwise operations take integers or bool; use T.and_ on bools")
    found = dtypes.upcast(*inputs)
    if found not in DISCRETE:
        given = " and ".join(inputs)
        raise TypeError(f"bits of {given} have no integer dtype in common: cast one of them")
    return found


def shifts_out(inputs: Sequence[str]) -> str:
    """The upcast of all inputs, which must be integers; bool becomes int8; uint64 stays."""
    refuse(inputs, FLOAT | COMPLEX, "bits of integers can be shifted; scale floats by T.exp2")
    found = dtypes.NO_BOOL[dtypes.upcast(*inputs)]
    return found if found in DISCRETE else "uint64"


def bool_out(inputs: Sequence[str]) -> str:
    """bool."""
    return "bool"


def real_out(inputs: Sequence[str]) -> str:
    """The dtype of the real part of the first input."""
    return dtypes.REAL_OF[inputs[0]]


def complex_out(inputs: Sequence[str]) -> str:
    """The complex dtype whose parts hold all inputs."""
    refuse(inputs, COMPLEX, "the parts of a complex number must be real")
    return "complex64" if dtypes.upgrade_to_float(*inputs) == "float32" else "complex128"
