"""Test data made from elementwise rows, and running graphs; any backend can reuse them.

``evaluate(inputs, outputs, values)`` is the reference way to run a graph; a backend's tests pass
its own function of the same signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import theano
import theano.ops.creation
import theano.ops.elementwise as elementwise
import theano.ops.nn
import theano.ops.shape
from theano.graph.evaluate import reference_function
from theano.graph.tensor_type import TensorType
from theano.kernel import ir, prims
from theano.kernel.build import Builder
from theano.ops.elemwise import Elemwise
from theano.ops.scalar import ScalarRow, kernel_dtype

DTYPES = ("bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64")
TOLERANCE = {"float16": 2e-3, "float32": 3e-5, "float64": 1e-9}
LINKERS = ("numpy", "cvm")
SPECIAL = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, 1e30, 0.5, -0.5, 2.5)


@dataclass(frozen=True)
class Case:
    """A row on inputs of some dtypes."""

    row: ScalarRow
    dtypes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.row.name}-{'-'.join(self.dtypes)}"

    @property
    def op(self) -> Elemwise:
        """The op of the row."""
        return elementwise.OPS[self.row.name]

    def values(self, shape: tuple[int, ...] = (3, 4), seed: int = 1) -> list[Any]:
        """Arrays inside the row's domain."""
        rng = np.random.default_rng(seed)
        return [sample(rng, self.row.interval(i), d, shape) for i, d in enumerate(self.dtypes)]


def sample(rng: Any, interval: tuple[float, float], dtype: str, shape: tuple[int, ...]) -> Any:
    """Random numbers of a dtype in an interval; integers round away from 0 if 0 is outside."""
    low, high = interval
    values = rng.uniform(low, high, shape)
    if dtype == "bool":
        return values > (low + high) / 2 if low <= 0 else np.ones(shape, "bool")
    if dtype.startswith("u"):
        values = np.abs(values)
    if not dtype.startswith("float"):
        values = np.ceil(values) if low > 0 else np.rint(values)
    return values.astype(dtype)


def accepts(row: ScalarRow, dtypes: Sequence[str]) -> bool:
    """Whether the row takes these dtypes."""
    try:
        row.output_dtype(dtypes)
    except (TypeError, NotImplementedError):
        return False
    return True


def arity(row: ScalarRow) -> int:
    """The number of inputs, 3 for any number."""
    return row.arity or 3


def cases() -> list[Case]:
    """Each row on each dtype, and binary rows on mixed dtypes too."""
    result = []
    for row in elementwise.ROWS.values():
        n = arity(row)
        combos = [(d,) * n for d in DTYPES]
        if n > 1:
            mixed = (("int8", "float32"), ("uint8", "int8"), ("float32", "float64"))
            combos += [pair + pair[:1] * (n - 2) for pair in mixed]
            combos += [("int64", "bool") + ("int64",) * (n - 2)] if row.name not in DIVIDE else []
        result += [Case(row, combo) for combo in combos if accepts(row, combo)]
    return result


DIVIDE = ("int_div", "mod")


def variables(values: Sequence[Any], names: str = "xyzuvw") -> list[Any]:
    """One variable per value, of its dtype and rank, nothing broadcastable."""
    return [
        TensorType(v.dtype.name, (False,) * v.ndim)(name)
        for v, name in zip(values, names, strict=False)
    ]


def evaluate(inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Run a graph by each op's ``perform``."""
    return reference_function(inputs, outputs)(*values)


def compiled(linker: str) -> Any:
    """``evaluate``, through ``theano.function`` with one of its linkers."""

    def run(inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[Any]) -> list[Any]:
        mode = theano.Mode(linker=linker, optimizer="fast_run")
        function = theano.function(list(inputs), list(outputs), mode=mode, on_unused_input="ignore")
        results: list[Any] = function(*values)
        return results

    return run


def everywhere(inputs: Sequence[Any], outputs: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """``evaluate``, after a check that compiled functions give the same."""
    expected = evaluate(inputs, outputs, values)
    for linker in LINKERS:
        got = compiled(linker)(inputs, outputs, values)
        for one, two in zip(got, expected, strict=True):
            close(one, two, two.dtype.name, scale=10.0)
    return expected


def run_body(row: ScalarRow, values: Sequence[Any], output: str) -> Any:
    """The row's scalar body, its statements evaluated on whole arrays."""
    k = Builder()
    names = [f"x{i}" for i in range(len(values))]
    known: dict[str, Any] = {
        name: v.astype(kernel_dtype(v.dtype.name)) for name, v in zip(names, values, strict=True)
    }
    vals = [k.value(name, known[name].dtype.name) for name in names]
    out = row.emit(k, vals, [v.dtype.name for v in values], output)
    for statement in k.statements:
        if isinstance(statement, ir.Const):
            known[statement.out] = np.asarray(statement.value, dtype=statement.dtype)
        else:
            assert isinstance(statement, ir.Apply)
            args = tuple(known[a] for a in statement.args)
            known[statement.out] = prims.evaluate(statement.prim, args, statement.dtype)
    return np.broadcast_to(known[out.name], values[0].shape).astype(output)


def numeric_partials(row: ScalarRow, values: Sequence[Any], step: float = 1e-6) -> list[Any]:
    """Central differences of the reference in each input."""
    result = []
    for i in range(len(values)):
        high, low = list(values), list(values)
        high[i], low[i] = values[i] + step, values[i] - step
        up, down = (row.evaluate(v, "float64") for v in (high, low))
        result.append((up - down) / (2 * step))
    return result


def close(a: Any, b: Any, dtype: str, scale: float = 1.0) -> None:
    """Assert equality up to the rounding of ``dtype``; NaNs are equal."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    if a.dtype.kind in "fc":
        tolerance = TOLERANCE.get(dtype, 1e-5) * scale
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(a, b)
