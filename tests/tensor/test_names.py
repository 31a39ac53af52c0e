"""The public names of theano and theano.tensor: all there, each meaning one thing."""

import importlib.metadata

import pytest

import theano
import theano.tensor as T
from theano import gradient
from theano.graph import registry

# Builders that serve ops and operators, and have no public name in theano.tensor.
INTERNAL = {
    "assert", "checked_labels", "deep_copy", "dimshuffle", "eval", "getitem", "identity",
    "logsoftmax_op", "make_vector", "mask_indices", "one_hot_rows", "pick_column",
    "repeat_index", "view_op", "xlogx", "xlogy0", "zeros_of",
}  # fmt: skip


def test_every_graph_builder_has_a_public_name():
    homes = (T, T.nnet, gradient)
    missing = [
        name
        for name in registry.names()
        if name.isidentifier()
        and name not in INTERNAL
        and not any(hasattr(home, name) for home in homes)
    ]
    assert missing == []


def test_public_names_exist():
    assert [name for name in T.__all__ if not hasattr(T, name)] == []


def test_the_reductions_are_functions_not_modules():
    for name in ("var", "sum", "max", "all", "any", "dot", "grad"):
        assert callable(getattr(T, name))


@pytest.mark.parametrize("name", theano.__all__)
def test_names_of_the_package(name):
    assert hasattr(theano, name)
    assert name in dir(theano)


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'funktion'"):
        theano.funktion  # noqa: B018


def test_version_is_that_of_the_distribution():
    assert theano.__version__ == importlib.metadata.version("theano")


def test_the_gradient_functions_are_the_same_everywhere():
    assert T.grad is theano.grad is gradient.grad
    assert T.Rop is theano.Rop
    assert T.Lop is theano.Lop
    assert T.jacobian is gradient.jacobian


@pytest.mark.parametrize(
    ("sloppy", "exact"), [("floor_div", "int_div"), ("square", "sqr"), ("power", "pow"),
                          ("conjugate", "conj"), ("fill", "second"), ("where", "switch"),
                          ("as_tensor", "as_tensor_variable"), ("bitwise_and", "and_")]
)  # fmt: skip
def test_aliases(sloppy, exact):
    assert getattr(T, sloppy) is getattr(T, exact)


def test_transfer():
    x = T.vector()
    assert x.transfer("cpu") is x
    with pytest.raises(ValueError, match="transfer"):
        x.transfer("mars")


def test_grids():
    import numpy as np

    for ours, numpys in ((T.mgrid, np.mgrid), (T.ogrid, np.ogrid)):
        for got, wanted in zip(ours[0:2, 1:7:2], numpys[0:2, 1:7:2], strict=True):
            np.testing.assert_array_equal(got.eval(), wanted)
    np.testing.assert_array_equal(T.mgrid[2:5].eval(), np.mgrid[2:5])
    with pytest.raises(ValueError, match="end"):
        T.mgrid[1:]
