"""Numerical checks of gradients of functions of sparse matrices; ``sparse_grad``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theano.autodiff.check import verify_grad
from theano.graph.sparse_type import SparseType, is_scipy
from theano.ops.index_advanced import AdvancedSubtensor1
from theano.ops.sparse_base import as_matrix
from theano.ops.sparse_convert import DenseFromSparse, SparseFromDense
from theano.ops.sparse_csm import CSM


def verify_grad_sparse(
    op: Callable[..., Any], pt: Sequence[Any], structured: bool = False, *args: Any, **kwargs: Any
) -> None:
    """Compare the gradient of ``op`` at ``pt`` with finite differences.

    Parameters
    ----------
    op : function of sparse (and dense) variables that returns one, or an op.
    pt : list of values, SciPy sparse matrices or dense arrays of float dtypes.
    structured : whether only the stored positions are varied (as structured gradients need).
    args, kwargs : as for ``theano.gradient.verify_grad`` (``rng`` by keyword or position).

    Raises GradientError where they differ.

    >>> import numpy as np, scipy.sparse as sp
    >>> from theano.ops.sparse_reduce import sp_sum
    >>> verify_grad_sparse(sp_sum, [sp.eye(3, format="csr")], rng=np.random.RandomState(1))
    """
    points: list[Any] = []
    converters: list[Callable[[Any], Any]] = []
    for value in pt:
        if not is_scipy(value):
            points.append(value)
            converters.append(_same)
        elif structured:
            points.append(value.data)
            converters.append(_of_data(value))
        else:
            points.append(value.toarray())
            converters.append(SparseFromDense(value.format))
    dense = DenseFromSparse(structured=structured)

    def function(*inputs: Any) -> Any:
        values = [convert(x) for convert, x in zip(converters, inputs, strict=True)]
        out = op(*values)
        return dense(out) if isinstance(out.type, SparseType) else out

    verify_grad(function, points, *args, **kwargs)


verify_grad_sparse.__test__ = False  # type: ignore[attr-defined]


def _same(x: Any) -> Any:
    return x


def _of_data(value: Any) -> Callable[[Any], Any]:
    matrix = as_matrix(value, SparseType(value.format, value.dtype.name))
    shape = np.asarray(matrix.shape, dtype="int32")
    return lambda data: CSM(matrix.format)(data, matrix.indices, matrix.indptr, shape)


def sparse_grad(var: Any) -> Any:
    """``x[ilist]`` again, but with a sparse gradient for the matrix ``x``.

    Parameters
    ----------
    var : the rows of a matrix at a vector of positions.

    Adding that gradient to ``x`` touches the rows named only. Raises TypeError for other variables.

    >>> import theano, theano.tensor as T
    >>> x, rows = T.dmatrix(), T.ivector()
    >>> theano.grad(sparse_grad(x[rows]).sum(), x).type
    Sparse[float64, csc]
    """
    node = getattr(var, "owner", None)
    if node is None or not isinstance(node.op, AdvancedSubtensor1):
        raise TypeError(
            "Sparse gradient is only implemented for AdvancedSubtensor1: rows of a matrix at a "
            f"vector of positions, got {var}"
        )
    return AdvancedSubtensor1(sparse_grad=True)(*node.inputs)
