"""Products with selected blocks of a matrix.

>>> import theano.tensor as T
>>> from theano.tensor.nnet.blocksparse import sparse_block_dot
>>> W, h, b = T.tensor4("W"), T.tensor3("h"), T.matrix("b")
>>> sparse_block_dot(W, h, T.lmatrix(), b, T.lmatrix()).ndim
3
"""

from typing import Any

from theano.ops.blocksparse import sparse_block_dot, sparse_block_gemv, sparse_block_outer

__all__ = [
    "SparseBlockGemv", "SparseBlockOuter", "sparse_block_dot", "sparse_block_gemv",
    "sparse_block_gemv_inplace", "sparse_block_outer", "sparse_block_outer_inplace",
]  # fmt: skip


class SparseBlockGemv:
    """``SparseBlockGemv()(o, W, h, inputIdx, outputIdx)``: what `sparse_block_gemv` gives."""

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def __call__(self, o: Any, W: Any, h: Any, inputIdx: Any, outputIdx: Any) -> Any:
        return sparse_block_gemv(o, W, h, inputIdx, outputIdx)


class SparseBlockOuter:
    """``SparseBlockOuter()(o, x, y, xIdx, yIdx, alpha)``: what `sparse_block_outer` gives."""

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def __call__(self, o: Any, x: Any, y: Any, xIdx: Any, yIdx: Any, alpha: Any = None) -> Any:
        return sparse_block_outer(o, x, y, xIdx, yIdx, alpha)


# The graph is functional: what is computed in place is decided when it is compiled.
sparse_block_gemv_inplace = SparseBlockGemv(True)
sparse_block_outer_inplace = SparseBlockOuter(True)
