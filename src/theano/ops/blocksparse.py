"""Products with blocks of a matrix that indices select: gathers, products, scatters."""

from __future__ import annotations

from typing import Any

from theano.core import dtypes
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import size_of
from theano.ops.index import getitem


def _ranked(value: Any, rank: int, name: str, ints: bool = False) -> Any:
    value = as_tensor_variable(value)
    if value.type.ndim != rank:
        raise TypeError(f"{name} must have {rank} axes, got {value} of {value.type}")
    if ints and value.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"{name} must be ints, got {value} of {value.type}")
    return value


def _blocks(rows: Any, columns: Any) -> tuple[Any, Any]:
    return rows.dimshuffle(0, 1, "x"), columns.dimshuffle(0, "x", 1)


def sparse_block_gemv(o: Any, W: Any, h: Any, inputIdx: Any, outputIdx: Any) -> Any:
    """``o[b, j] + sum over i of h[b, i] @ W[inputIdx[b, i], outputIdx[b, j]]``.

    Parameters
    ----------
    o : (batch, output blocks used, output size).
    W : (input blocks, output blocks, input size, output size).
    h : (batch, input blocks used, input size).
    inputIdx, outputIdx : ints, (batch, input blocks used) and (batch, output blocks used).
    """
    o, h = _ranked(o, 3, "o"), _ranked(h, 3, "h")
    W = _ranked(W, 4, "W")
    used, given = _ranked(inputIdx, 2, "inputIdx", True), _ranked(outputIdx, 2, "outputIdx", True)
    blocks = getitem(W, _blocks(used, given))  # (batch, in, out, input size, output size)
    batch, ins, outs = size_of(h, 0), size_of(used, 1), size_of(given, 1)
    n, m = size_of(W, 2), size_of(W, 3)
    deep = sizes.mul(ins, n)
    left = apply("reshape", h, sizes.vector([batch, 1, deep]), ndim=3)
    right = apply("dimshuffle", blocks, 0, 1, 3, 2, 4)
    right = apply("reshape", right, sizes.vector([batch, deep, sizes.mul(outs, m)]), ndim=3)
    product = apply("batched_dot", left, right)
    return o + apply("reshape", product, sizes.vector([batch, outs, m]), ndim=3)


def sparse_block_outer(o: Any, x: Any, y: Any, xIdx: Any, yIdx: Any, alpha: Any = None) -> Any:
    """``o`` with ``alpha x[b, i] ⊗ y[b, j]`` added to the block (xIdx[b, i], yIdx[b, j]).

    Parameters
    ----------
    o : (x blocks, y blocks, x size, y size).
    x, y : (batch, blocks used, size).
    xIdx, yIdx : ints, (batch, blocks used).
    alpha : number, 1 by default.
    """
    o = _ranked(o, 4, "o")
    x, y = _ranked(x, 3, "x"), _ranked(y, 3, "y")
    rows, columns = _ranked(xIdx, 2, "xIdx", True), _ranked(yIdx, 2, "yIdx", True)
    outer = x.dimshuffle(0, 1, "x", 2, "x") * y.dimshuffle(0, "x", 1, "x", 2)
    if alpha is not None:
        outer = outer * as_tensor_variable(alpha)
    return apply("inc_subtensor", getitem(o, _blocks(rows, columns)), outer)


def sparse_block_dot(W: Any, h: Any, inputIdx: Any, b: Any, outputIdx: Any) -> Any:
    """``b[outputIdx[n, j]] + sum over i of h[n, i] @ W[inputIdx[n, i], outputIdx[n, j]]``.

    Parameters
    ----------
    W : (input blocks, output blocks, input size, output size).
    h : (batch, input blocks used, input size), or without the batch.
    inputIdx : ints, (batch, input blocks used): which blocks ``h`` holds.
    b : (output blocks, output size).
    outputIdx : ints, (batch, output blocks used): which blocks are computed.

    The result is (batch, output blocks used, output size). Indices out of range are an IndexError
    when the function runs; ranks that do not fit a TypeError.
    """
    h, used, given = (as_tensor_variable(v) for v in (h, inputIdx, outputIdx))
    if used.type.ndim != h.type.ndim - 1 or given.type.ndim != used.type.ndim:
        raise TypeError(
            f"indices must have one axis less than h: h is {h.type}, inputIdx {used.type}, "
            f"outputIdx {given.type}"
        )
    if h.type.ndim == 2:
        h, used, given = h.dimshuffle("x", 0, 1), used.dimshuffle("x", 0), given.dimshuffle("x", 0)
    b = _ranked(b, 2, "b")
    return sparse_block_gemv(getitem(b, (given,)), W, h, used, given)
