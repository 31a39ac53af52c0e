"""Sorting, under its old address."""

from theano.ops.sorting import ArgSortOp, SortOp, argsort, sort

__all__ = ["ArgSortOp", "SortOp", "argsort", "sort"]
