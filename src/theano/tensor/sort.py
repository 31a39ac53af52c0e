"""Sorting and the best k, under their old address."""

from theano.ops.sorting import ArgSortOp, SortOp, argsort, sort
from theano.ops.topk import TopKOp, argtopk, topk, topk_and_argtopk

__all__ = [
    "ArgSortOp",
    "SortOp",
    "TopKOp",
    "argsort",
    "argtopk",
    "sort",
    "topk",
    "topk_and_argtopk",
]
