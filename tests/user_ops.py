"""Ops as users write them."""

import theano
import theano.tensor as T


class Twice(theano.Op):
    """2 x, of a vector."""

    __props__ = ()

    def make_node(self, x):
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0] * 2

    def infer_shape(self, node, shapes):
        return shapes


class TwiceFast(Twice):
    """The same, computed in another way."""

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0] + inputs[0]


class Bump(theano.Op):
    """Adds one to its input, in place."""

    __props__ = ()
    destroy_map = {0: [0]}  # noqa: RUF012

    def make_node(self, x):
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage):
        inputs[0] += 1
        output_storage[0][0] = inputs[0]


twice, twice_fast = Twice(), TwiceFast()
