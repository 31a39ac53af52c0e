"""Values that are not arrays, under their old address: slices and None."""

from theano.graph.generic import (
    NoneConst,
    NoneTypeT,
    SliceConstant,
    SliceType,
    none_type_t,
    slicetype,
)
from theano.ops.slices import MakeSlice, as_int_none_variable, make_slice

NoneTypeConst = NoneConst

__all__ = [
    "MakeSlice",
    "NoneConst",
    "NoneTypeConst",
    "NoneTypeT",
    "SliceConstant",
    "SliceType",
    "as_int_none_variable",
    "make_slice",
    "none_type_t",
    "slicetype",
]
