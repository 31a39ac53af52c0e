"""Ops on values that are no arrays, for the tests of Programs with objects."""

from __future__ import annotations

import numpy as np

import theano
import theano.tensor as T


class Item(theano.Op):
    """``d[k]`` as a vector."""

    __props__ = ()

    def make_node(self, d, k):
        return theano.Apply(self, [d, k], [T.dvector()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = np.asarray(inputs[0][inputs[1]], dtype="float64")


class Put(theano.Op):
    """``d`` with ``d[k] = v``."""

    __props__ = ()

    def make_node(self, d, k, v):
        return theano.Apply(self, [d, k, v], [theano.generic()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = {**inputs[0], inputs[1]: np.array(inputs[2])}


class Merge(theano.Op):
    """Both dictionaries in one: no array at all."""

    __props__ = ()

    def make_node(self, d, e):
        return theano.Apply(self, [d, e], [theano.generic()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = {**inputs[0], **inputs[1]}


class Same(theano.Op):
    """Its input itself."""

    __props__ = ()

    def make_node(self, d):
        return theano.Apply(self, [d], [d.type()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = inputs[0]


class Pop(theano.Op):
    """An item of a list, and the list without it, which is changed in place."""

    __props__ = ()
    destroy_map = {0: [0]}  # noqa: RUF012

    def make_node(self, x):
        return theano.Apply(self, [x], [theano.generic(), theano.generic()])

    def perform(self, node, inputs, outputs):
        outputs[1][0] = inputs[0].pop()
        outputs[0][0] = inputs[0]


class Wrap(theano.Op):
    """The very array in a tuple."""

    __props__ = ()

    def make_node(self, x):
        return theano.Apply(self, [x], [theano.generic()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = (inputs[0],)
