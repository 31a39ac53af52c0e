"""Numerical gradients, and the comparison of symbolic ones with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from theano.autodiff.reverse import grad
from theano.core.errors import GradientError, MissingSpelling
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType

_ABS_TOL = {"float64": 1e-4, "float32": 1e-2, "float16": 5e-2}
_REL_TOL = {"float64": 1e-4, "float32": 1e-2, "float16": 5e-2}


class numeric_grad:
    """The gradient of ``f`` at ``pt`` by one-sided finite differences, in ``gf``.

    Parameters
    ----------
    f : callable of arrays that returns a float.
    pt : an array, or a list of them (then ``gf`` is a list); all of float dtypes.
    eps : step; default by the coarsest dtype among ``pt`` and ``out_type``.
    out_type : dtype of ``f``'s result where it is coarser than that of the inputs.
    """

    type_eps: ClassVar[dict[str, float]] = {
        "float64": 1e-7, "float32": 3e-4, "float16": 1e-1,
    }  # fmt: skip

    def __init__(
        self, f: Callable[..., Any], pt: Any, eps: float | None = None, out_type: str | None = None
    ) -> None:
        packed = not isinstance(pt, (list, tuple))
        points = [np.array(p) for p in ([pt] if packed else pt)]
        names = [p.dtype.name for p in points] + ([str(out_type)] if out_type is not None else [])
        for name in names:
            if name not in self.type_eps:
                raise TypeError(f"numeric_grad works on float dtypes only, got {name}")
        if eps is None:
            eps = max(self.type_eps[name] for name in names)
        base = f(*[p.copy() for p in points])
        self.gf: Any = []
        for which, point in enumerate(points):
            gradient = np.zeros(point.shape, point.dtype)
            for position in np.ndindex(point.shape):
                moved = [p.copy() for p in points]
                moved[which][position] += eps
                # the step that was really taken, after rounding
                step = moved[which][position] - point[position]
                gradient[position] = (f(*moved) - base) / step
            self.gf.append(gradient)
        if packed:
            self.gf = self.gf[0]

    @staticmethod
    def abs_rel_err(a: Any, b: Any) -> tuple[Any, Any]:
        """|a - b|, and the same relative to |a| + |b|."""
        absolute = abs(a - b)
        return absolute, absolute / np.maximum(abs(a) + abs(b), 1e-8)

    def abs_rel_errors(self, g_pt: Sequence[Any]) -> list[tuple[Any, Any]]:
        """``abs_rel_err`` of each array of ``g_pt`` against ``gf``."""
        if len(g_pt) != len(self.gf):
            raise ValueError(f"argument has wrong number of elements: {len(g_pt)}")
        for index, (a, b) in enumerate(zip(g_pt, self.gf, strict=True)):
            if a.shape != b.shape:
                raise ValueError(
                    f"argument element {index} has wrong shapes {a.shape}, expected {b.shape}"
                )
        return [self.abs_rel_err(a, b) for a, b in zip(g_pt, self.gf, strict=True)]

    def max_err(self, g_pt: Sequence[Any], abs_tol: float, rel_tol: float) -> tuple[Any, ...]:
        """(argument, flat position, absolute error, relative error) of the worst element.

        Worst by the smaller of the two errors over their tolerances: only what exceeds both counts.
        """
        worst: tuple[Any, ...] = (0, 0, 0.0, 0.0)
        height = -1.0
        for index, (absolute, relative) in enumerate(self.abs_rel_errors(g_pt)):
            if not absolute.size:
                continue
            score = np.minimum(absolute / abs_tol, relative / rel_tol)
            score = np.where(np.isnan(score), np.inf, score)
            position = int(np.argmax(score))
            if score.flat[position] > height:
                height = float(score.flat[position])
                worst = (index, position, absolute.flat[position], relative.flat[position])
        return worst


def verify_grad(
    fun: Callable[..., Variable],
    pt: Sequence[Any],
    n_tests: int = 2,
    rng: Any = None,
    eps: float | None = None,
    out_type: str | None = None,
    abs_tol: float | None = None,
    rel_tol: float | None = None,
    mode: Any = None,
    cast_to_output_type: bool = False,
    no_debug_ref: bool = True,
) -> None:
    """Compare the gradient of ``fun`` at ``pt`` with finite differences.

    Parameters
    ----------
    fun : from variables to one variable (or an Op); only float arguments.
    pt : list of float arrays, one per argument.
    n_tests : number of random projections of the output.
    rng : a ``numpy.random.RandomState`` or ``Generator``; required.
    eps, abs_tol, rel_tol : step and tolerances; defaults by dtype.
    out_type : dtype of the output where it is coarser than that of the inputs.
    mode : compilation mode.
    cast_to_output_type : cast the projection and cost to the output's dtype.
    no_debug_ref : accepted for old callers.

    Raises GradientError for an element whose absolute and relative errors both exceed the
    tolerances; TypeError for points that are not float arrays.

    >>> import numpy as np, theano, theano.tensor as T
    >>> theano.gradient.verify_grad(T.tanh, [np.ones(3)], rng=np.random.RandomState(0))
    """
    if rng is None:
        raise TypeError("rng should be a valid instance of numpy.random.RandomState.")
    points = [np.array(p) for p in pt]
    _check_points(points)
    coarse = [p.dtype.name for p in points] + ([out_type] if out_type is not None else [])
    abs_tol = max(_ABS_TOL[name] for name in coarse) if abs_tol is None else abs_tol
    rel_tol = max(_REL_TOL[name] for name in coarse) if rel_tol is None else rel_tol
    inputs = [
        TensorType(p.dtype.name, shape=(None,) * p.ndim)(f"input {i}") for i, p in enumerate(points)
    ]
    outputs: Any = fun(*inputs)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    if len(outputs) != 1:
        raise NotImplementedError("verify_grad cannot (yet) handle ops with multiple outputs")
    output = outputs[0]
    shape = _compile(inputs, [output], mode)(*points)[0].shape
    dtype = _projection_dtype(output)
    projection = TensorType(dtype, shape=output.type.shape)("random_projection")
    cost = apply("sum", apply("mul", projection, output))
    if cast_to_output_type:
        cost = apply("cast", cost, output.type.dtype)
    value = _compile([*inputs, projection], [cost], mode)
    derivative = _compile(
        [*inputs, projection], grad(cost, inputs, disconnected_inputs="ignore"), mode
    )
    for _ in range(n_tests):
        # away from zero, so that every output element takes part
        direction = np.asarray(rng.uniform(size=shape) + 0.5, dtype=dtype)
        numeric = numeric_grad(
            lambda *arrays, direction=direction: value(*arrays, direction)[0], points, eps, out_type
        )
        symbolic = [np.asarray(g) for g in derivative(*points, direction)]
        _raise_if_wrong(numeric, symbolic, abs_tol, rel_tol)


def _projection_dtype(output: Variable) -> str:
    """The dtype of the random projection: the output's if it is a float, else float64."""
    kind: str = output.type.dtype
    return kind if kind in numeric_grad.type_eps else "float64"


def _check_points(points: Sequence[Any]) -> None:
    for index, point in enumerate(points):
        if point.dtype.name not in numeric_grad.type_eps:
            raise TypeError(
                f"verify_grad can work only with floating point inputs, but input {index} has "
                f"dtype {point.dtype}."
            )


def _raise_if_wrong(
    numeric: numeric_grad, symbolic: Sequence[Any], abs_tol: float, rel_tol: float
) -> None:
    arg, position, absolute, relative = numeric.max_err(symbolic, abs_tol, rel_tol)
    if not (absolute > abs_tol and relative > rel_tol) and not np.isnan(absolute):
        return
    raise GradientError(
        arg, position, numeric.gf[arg].shape, numeric.gf[arg].flat[position],
        symbolic[arg].flat[position], absolute, relative, abs_tol, rel_tol,
    )  # fmt: skip


def _compile(
    inputs: Sequence[Variable], outputs: Sequence[Variable], mode: Any
) -> Callable[..., Any]:
    """A compiled function, or the reference where no compiler is registered (a bare core)."""
    try:
        compiled: Callable[..., Any] = apply(
            "function", list(inputs), list(outputs), mode=mode, on_unused_input="ignore",
            allow_input_downcast=True,
        )  # fmt: skip
    except MissingSpelling:
        return reference_function(inputs, outputs)
    return compiled
