"""Random sparse matrices: Poisson, Binomial, Multinomial (NumPy's generator, not reproducible)."""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.null_types import grad_undefined
from theano.graph.sparse_type import SparseType
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import disconnected
from theano.ops.sparse_base import COMPRESSED, SparseOp, compressed


class _Random(SparseOp):
    """An op that draws new numbers at each call, from NumPy's global generator."""

    def do_constant_folding(self, node: Apply) -> bool:
        """Never: each call draws anew."""
        return False


class Poisson(_Random):
    """Poisson numbers with the stored elements as means; absent elements stay 0."""

    def make_node(self, x: Any) -> Apply:
        """A csr or csc matrix of means."""
        x = compressed(x, "poisson")
        return Apply(self, [x], [x.type()])

    def reference(self, node: Apply, x: Any) -> Any:
        found = x.copy()
        found.data = np.random.poisson(x.data).astype(x.dtype)
        found.eliminate_zeros()
        return found

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [grad_undefined(self, 0, inputs[0], "No gradient exists for poisson.")]


class Binomial(_Random):
    """A matrix of binomial numbers: inputs n (integer), p, shape (vector of two integers)."""

    __props__ = ("format", "dtype")

    def __init__(self, format: str, dtype: str) -> None:
        if format not in COMPRESSED:
            raise NotImplementedError(f"format must be one of {COMPRESSED}, not {format!r}")
        self.format = format
        self.dtype = dtypes.dtype_name(dtype)

    def make_node(self, n: Any, p: Any, shape: Any) -> Apply:
        """Two scalars and a vector."""
        n, p, shape = map(as_tensor_variable, (n, p, shape))
        if n.type.dtype not in dtypes.DISCRETE or shape.type.dtype not in dtypes.DISCRETE:
            raise TypeError(f"binomial: n and shape must be integers, got {n.type}, {shape.type}")
        if shape.type.ndim != 1:
            raise TypeError(f"binomial: shape must be a vector, got {shape.type}")
        return Apply(self, [n, p, shape], [SparseType(self.format, self.dtype)()])

    def reference(self, node: Apply, n: Any, p: Any, shape: Any) -> Any:
        return np.random.binomial(n, p, tuple(int(s) for s in shape))

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only p is continuous."""
        return [[False], [True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        undefined = grad_undefined(self, 1, inputs[1], "No gradient exists for binomial.")
        return [disconnected(), undefined, disconnected()]


class Multinomial(_Random):
    """Counts of n draws from the stored elements of each row, taken as its probabilities.

    Inputs: n (an integer, or one for each row) and a csr matrix.
    """

    def make_node(self, n: Any, p: Any) -> Apply:
        """A scalar or vector, and a csr matrix."""
        n, p = as_tensor_variable(n), compressed(p, "multinomial")
        if p.type.format != "csr":
            raise NotImplementedError(f"multinomial takes a csr matrix, got {p.type}")
        if n.type.dtype not in dtypes.DISCRETE or n.type.ndim > 1:
            raise TypeError(f"multinomial: n must be an integer or a vector of them, got {n.type}")
        return Apply(self, [n, p], [p.type()])

    def reference(self, node: Apply, n: Any, p: Any) -> Any:
        counts = np.broadcast_to(n, (p.shape[0],))
        found = p.copy()
        for row, count in enumerate(counts):
            begin, end = p.indptr[row], p.indptr[row + 1]
            if end > begin:
                drawn = np.random.multinomial(int(count), p.data[begin:end].astype("float64"))
                found.data[begin:end] = drawn
        found.eliminate_zeros()
        return found

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only p is continuous."""
        return [[False], [True]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        undefined = grad_undefined(self, 1, inputs[1], "No gradient exists for multinomial.")
        return [disconnected(), undefined]


poisson = Poisson()
multinomial = Multinomial()
csr_dbinomial, csc_dbinomial = Binomial("csr", "float64"), Binomial("csc", "float64")
csr_fbinomial, csc_fbinomial = Binomial("csr", "float32"), Binomial("csc", "float32")
