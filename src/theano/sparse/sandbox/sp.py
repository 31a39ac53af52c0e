"""Old address of scaling, summing and the diagonal."""

from theano.sparse.basic import (
    ColScaleCSC,
    Diag,
    EnsureSortedIndices,
    Remove0,
    RowScaleCSC,
    SpSum,
    SquareDiagonal,
    clean,
    col_scale,
    diag,
    ensure_sorted_indices,
    remove0,
    row_scale,
    sp_sum,
    square_diagonal,
)

__all__ = [
    "ColScaleCSC",
    "Diag",
    "EnsureSortedIndices",
    "Remove0",
    "RowScaleCSC",
    "SpSum",
    "SquareDiagonal",
    "clean",
    "col_scale",
    "diag",
    "ensure_sorted_indices",
    "remove0",
    "row_scale",
    "sp_sum",
    "square_diagonal",
]
