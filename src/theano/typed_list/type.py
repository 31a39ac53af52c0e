"""The type of lists, under its old address."""

from theano.graph.typed_list import TypedListType

__all__ = ["TypedListType"]
