"""All routines by name. Adding one: a row in its family's module, and its name here."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Final

from theano.core.errors import MissingSpelling
from theano.runtime.routines.base import Routine

#: The module of each family, and the names in it.
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "conv": (
        "conv",
        "conv_bias",
        "pointwise",
        "pointwise_bias",
        "conv_weights",
        "pointwise_weights",
        "local",
        "local_data",
        "local_weights",
    ),
    "cumulative": ("cumsum", "cumprod", "recurrence"),
    "ctc": ("ctc",),
    "lapack": ("potrf", "trsolve", "getrf", "lusolve", "getri"),
    "lapack_spectral": ("qr", "svd", "eigh"),
    "lapack_expm": ("expm",),
    "random": ("mrg_uniform",),
    "searching": (
        "searchsorted",
        "searchsorted_by",
        "repeat_count",
        "repeat_index",
        "count_nonzero",
        *(f"nonzero{n}" for n in range(1, 9)),
    ),
    "sorting": ("sort", "argsort", "topk"),
    "pool": ("pool_max", "pool_sum", "pool_max_grad", "pool_sum_grad", "pool_max_pick"),
    "products": ("batched_gemm", "product"),
    "winograd": ("winograd", "winograd_bias", "winograd_weights"),
    "sparse": (
        "sparse_gather_dot",
        "sparse_scatter_dot",
        "sparse_sampled_dot",
        "sparse_sample",
        "sparse_segment_sum",
        "sparse_spread",
    ),
}
_FAMILY: Final = {name: family for family, names in FAMILIES.items() for name in names}


@functools.cache
def routine(name: str) -> Routine:
    """The routine called ``name``; MissingSpelling that names this file if there is none."""
    family = _FAMILY.get(name)
    if family is None:
        raise MissingSpelling("the library", name, "runtime/routines/table.py")
    module = importlib.import_module(f"theano.runtime.routines.{family}")
    found: Routine = next(row for row in module.ROUTINES if row.name == name)
    return found


def known(name: str) -> bool:
    """Whether there is a routine of that name."""
    return name in _FAMILY


def of_symbol(symbol: str) -> tuple[Routine, tuple[str, ...]] | None:
    """The routine and the dtypes of a native function's name; None if it is not one."""
    stem, _, dtypes = symbol.removeprefix("th_").partition("__")
    return (routine(stem), tuple(dtypes.split("_"))) if dtypes and known(stem) else None
