"""``theano.gof.type``."""

from theano.graph.enum_types import CDataType, CEnumType, EnumList, EnumType
from theano.graph.generic import Generic, SingletonType, generic
from theano.graph.nodes import Type

PureType = Type


class CLinkerType:
    """What types of old offer C code through: it is never asked for."""


__all__ = [
    "CDataType", "CEnumType", "CLinkerType", "EnumList", "EnumType", "Generic", "PureType",
    "SingletonType", "Type", "generic",
]  # fmt: skip
