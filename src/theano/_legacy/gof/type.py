"""``theano.gof.type``."""

from theano.graph.enum_types import CDataType, CEnumType, EnumList, EnumType
from theano.graph.generic import Generic, SingletonType, generic
from theano.graph.nodes import Type

PureType = Type

__all__ = [
    "CDataType", "CEnumType", "EnumList", "EnumType", "Generic", "PureType", "SingletonType",
    "Type", "generic",
]  # fmt: skip
