"""Ops that are not ours, in compiled functions."""

import numpy as np
from user_ops import Bump

import theano
import theano.tensor as T
from theano.ops.elemwise import Elemwise
from theano.ops.scalar import ScalarRow, float_out_no_complex


def test_an_op_that_destroys_its_input_leaves_arguments_and_shared_variables_alone():
    x = T.dvector("x")
    w = theano.shared(np.zeros(2))
    f = theano.function([x], [Bump()(x), Bump()(w), x + w])
    given = np.zeros(2)
    for _ in range(2):
        bumped, bumped_w, total = f(given)
        assert bumped.tolist() == bumped_w.tolist() == [1, 1]
        assert total.tolist() == given.tolist() == w.get_value().tolist() == [0, 0]


def test_rows_of_one_name_and_different_bodies_are_different_functions():
    x = T.dvector("x")
    for factor in (2.0, 3.0):
        row = ScalarRow(
            "times_factor", 1, float_out_no_complex,
            lambda x, factor=factor: x * factor, lambda k, x, factor=factor: x * factor,
        )  # fmt: skip
        f = theano.function([x], Elemwise(row)(x))
        assert f([1.0]).tolist() == [factor]
