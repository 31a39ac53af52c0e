"""Rows of scalar ops that users write: native where their code can be traced."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable, Sequence
from dataclasses import fields
from itertools import takewhile
from typing import Any

import numpy as np

from theano.core.dtypes import COMPLEX, DISCRETE, promote
from theano.core.record import dataclass
from theano.kernel.build import Builder
from theano.ops import scalar_trace
from theano.ops.scalar import ScalarRow, kernel_dtype
from theano.ops.scalar_gradients import Gradient
from theano.ops.scalar_trace import Untraceable
from theano.ops.scalar_types import get_scalar_type


@dataclass(frozen=True, eq=False)
class OpRow(ScalarRow):
    """The row of a scalar op that is not one of the library's rows.

    ``on_types`` gives the row to use for inputs and output of some dtypes.
    """

    op: Any = None
    on_types: Callable[[OpRow, Sequence[str], str], ScalarRow] | None = None

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return _find, (self.op, self.body is None)

    def scalar_op(self) -> Any:
        """The user's op."""
        return self.op

    def emit(self, k: Any, values: Sequence[Any], inputs: Sequence[str], output: str) -> Any:
        """The scalar code, which may also be a number, or compare where the output is bool."""
        if self.body is None:
            return super().emit(k, values, inputs, output)
        wanted = self.operands(inputs, output)
        vals = [
            None if v is None else k.cast(v, kernel_dtype(w))
            for v, w in zip(values, wanted, strict=True)
        ]
        return scalar_trace.finish(k, self.body(k, *vals), kernel_dtype(output))

    def for_types(self, inputs: Sequence[str], output: str) -> ScalarRow:
        """The row in Python where the scalar code of this one does not take these dtypes."""
        if self.body is None or self.on_types is None:
            return self
        return self.on_types(self, inputs, output)


rows: weakref.WeakValueDictionary[Any, ScalarRow] = weakref.WeakValueDictionary()
_in_python: weakref.WeakValueDictionary[tuple[Any, str], OpRow] = weakref.WeakValueDictionary()


def _find(op: Any, in_python: bool) -> ScalarRow:
    """The row of an op that was pickled."""
    row: ScalarRow = op.as_row()
    if in_python and row.body is not None:
        return _python_row(row, "its scalar code does not take these dtypes")
    return row


def base_fields(row: ScalarRow) -> dict[str, Any]:
    """The fields of a row by name, to make another row of."""
    return {field.name: getattr(row, field.name) for field in fields(ScalarRow)}


def row_of(op: Any) -> OpRow:
    """The row of a user's op: native if its code can be traced on floats or on integers."""
    reasons = [_problem(op, (dtype,) * max(op.nin, 2 if op.nin < 0 else 0), dtype)
               for dtype in ("float64", "int64")]  # fmt: skip
    native = None in reasons
    return OpRow(
        name=f"{op} ({type(op).__qualname__})",
        arity=op.arity,
        dtype=_DtypeOf(op),
        ref=_Reference(op, native),
        body=_kernel_code(op) if native else None,
        grad=Gradient(op) if _has_gradient(op) else None,
        operands=_operands,
        commutative=op.commutative,
        associative=op.associative,
        display=f"Elemwise{{{op},no_inplace}}",
        cost="heavy",
        why="" if native else _why(op, reasons[0]),
        complex_grad=True,
        op=op,
        on_types=_for_types,
    )


def _why(op: Any, reason: str | None) -> str:
    """Why an op is not native, in words."""
    return f"{type(op).__name__}.{_defines(op) or 'nfunc_spec'} runs in Python: {reason}"


def _for_types(row: OpRow, inputs: Sequence[str], output: str) -> ScalarRow:
    if COMPLEX & {*inputs, output}:
        return row
    given = tuple(map(kernel_dtype, _operands(inputs, output)))
    reason = _problem(row.op, given, kernel_dtype(output))
    return row if reason is None else _python_row(row, reason)


def _python_row(row: Any, reason: str) -> OpRow:
    found = _in_python.get((row.op, reason))
    if found is None:
        values = base_fields(row) | {
            "body": None,
            "why": _why(row.op, reason),
            "ref": _Reference(row.op, False),
        }
        found = _in_python[row.op, reason] = OpRow(**values, op=row.op)
    return found


def _operands(inputs: Sequence[str], output: str) -> Sequence[str]:
    """Inputs are cast to the output's dtype, or to one that holds them all if that is discrete."""
    common = output if output not in DISCRETE else promote(*inputs)
    return (common,) * len(inputs)


def _defines(op: Any) -> str:
    """``"body"`` or ``"impl"``: which of the two the most derived class has; "" for none."""
    for kind in type(op).__mro__:
        if "body" in kind.__dict__:
            return "body"
        if "impl" in kind.__dict__ and not kind.__dict__.get("_abstract"):
            return "impl"
    return ""


def _defines_impl(op: Any) -> bool:
    return any(
        "impl" in kind.__dict__ and not kind.__dict__.get("_abstract") for kind in type(op).__mro__
    )


def _has_gradient(op: Any) -> bool:
    return any(
        name in kind.__dict__
        for kind in takewhile(lambda kind: not kind.__dict__.get("_abstract"), type(op).__mro__)
        for name in ("grad", "L_op")
    )


def _kernel_code(op: Any) -> Callable[..., Any] | None:
    """``body(k, *values)`` of an op, by its own hook or by tracing."""
    which = _defines(op)
    if which == "body":
        return op.body  # type: ignore[no-any-return]
    code = op.impl if which == "impl" else _nfunc(op)
    if code is None:
        return None

    return lambda k, *vals: scalar_trace.trace(code, k, vals)


def _problem(op: Any, dtypes: Sequence[str], output: str) -> str | None:
    """Why the op has no scalar code for operands of these dtypes; None if it has."""
    key = (tuple(dtypes), output)
    known: dict[Any, str | None] = op.__dict__.setdefault("_problems", {})
    if key not in known:
        known[key] = _find_problem(op, dtypes, output)
    return known[key]


def _find_problem(op: Any, dtypes: Sequence[str], output: str) -> str | None:
    try:
        which = _defines(op)
        if which == "body":
            k = Builder()
            vals = [k.value(f"x{i}", dtype) for i, dtype in enumerate(dtypes)]
            scalar_trace.finish(k, op.body(k, *vals), output)
            return None
        code = op.impl if which == "impl" else _nfunc(op)
        if code is None:
            return "there is neither impl, nor body, nor nfunc_spec"
        scalar_trace.check(code, dtypes, output)
        op.__dict__["_branches"] = _branches(code, dtypes) or op.__dict__.get("_branches", False)
    except Untraceable as error:
        return str(error)
    except (TypeError, AttributeError, LookupError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _branches(code: Callable[..., Any], dtypes: Sequence[str]) -> bool:
    """Whether the code must be run on single numbers."""
    k = Builder()
    return scalar_trace.branches(code, k, [k.value(f"x{i}", d) for i, d in enumerate(dtypes)])


def _nfunc(op: Any) -> Callable[..., Any] | None:
    """The function on arrays that ``nfunc_spec`` names; AttributeError where there is none."""
    if op.nfunc_spec is None:
        return None
    module, _, name = op.nfunc_spec[0].rpartition(".")
    full = module if module.split(".")[0] in ("numpy", "scipy") else f"numpy.{module}".rstrip(".")
    found: Callable[..., Any] = getattr(importlib.import_module(full), name)
    return found


class _OfOp:
    """A part of a row that asks the op."""

    def __init__(self, op: Any) -> None:
        self.op = op


class _DtypeOf(_OfOp):
    """The dtype rule of an op."""

    def __call__(self, inputs: Sequence[str]) -> str:
        (kind,) = self.op.output_types([get_scalar_type(name) for name in inputs])
        name: str = kind.dtype
        return name


class _Reference(_OfOp):
    """The op on arrays: ``nfunc_spec``, or ``impl`` on whole arrays if it could be traced, else
    ``impl`` on each element, or the kernel code on arrays for an op that has nothing else."""

    def __init__(self, op: Any, traced: bool) -> None:
        super().__init__(op)
        self.traced = traced

    def __call__(self, *arrays: Any) -> Any:
        op = self.op
        function = _nfunc(op)
        if function is not None:
            return function(*arrays)
        has_impl = _defines_impl(op)
        if not has_impl and _defines(op) == "body":
            return self._run_body(arrays)
        if self.traced and _defines(op) == "impl" and not op.__dict__.get("_branches"):
            return op.impl(*arrays)
        return self._elements(arrays)

    def _elements(self, arrays: Sequence[Any]) -> Any:
        full = np.broadcast_arrays(*arrays)
        flat = zip(*(a.ravel() for a in full), strict=True)
        results = [self.op.impl(*values) for values in flat]
        return np.asarray(results).reshape(full[0].shape) if results else full[0]

    def _run_body(self, arrays: Sequence[Any]) -> Any:
        k = Builder()
        vals = [k.value(f"x{i}", kernel_dtype(a.dtype.name)) for i, a in enumerate(arrays)]
        known = {v.name: a.astype(v.dtype) for v, a in zip(vals, arrays, strict=True)}
        result = scalar_trace.finish(k, self.op.body(k, *vals), self._output(arrays))
        return scalar_trace.run(k, result, known)

    def _output(self, arrays: Sequence[Any]) -> str:
        kinds = self.op.output_types([get_scalar_type(a.dtype.name) for a in arrays])
        return kernel_dtype(kinds[0].dtype)
