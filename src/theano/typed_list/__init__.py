"""Lists of arrays of one type as symbolic values.

>>> import theano
>>> import theano.tensor as T
>>> from theano import typed_list
>>> x = typed_list.TypedListType(T.dvector)("x")
>>> v = T.dvector("v")
>>> f = theano.function([x, v], typed_list.length(typed_list.append(x, v)))
>>> int(f([[1.0, 2.0], [3.0]], [4.0]))
3
"""

from theano.graph.typed_list import TypedListConstant, TypedListType, TypedListVariable
from theano.typed_list import basic, type
from theano.typed_list.basic import *  # noqa: F403

__all__ = ["TypedListConstant", "TypedListType", "TypedListVariable", "basic", "type"]
__all__ += basic.__all__
