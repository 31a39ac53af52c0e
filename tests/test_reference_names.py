"""The names that programs written for Theano use: they resolve, or they are known to come later."""

from __future__ import annotations

import importlib
from typing import Any

import client_names as clients
import numpy as np
import pytest
import reference_names as names
import scipy.sparse

import theano
import theano.tensor as T

PRESENT = [
    pytest.param(module, name, id=f"{module}.{name}") for module, name in names.paths(names.PRESENT)
]
LATER = [
    pytest.param(module, name, id=f"{module}.{name}") for module, name in names.paths(names.LATER)
]


def resolve(module: str, name: str) -> Any:
    """The object, by import of the module and attributes; AttributeError or ImportError."""
    found: Any = importlib.import_module(module)
    for part in filter(None, name.split(".")):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize(("module", "name"), PRESENT)
def test_name_resolves(module: str, name: str) -> None:
    assert resolve(module, name) is not None


@pytest.mark.parametrize(("module", "name"), LATER)
def test_name_comes_later(module: str, name: str) -> None:
    """A name that has come moves to PRESENT in reference_names.py."""
    with pytest.raises((AttributeError, ImportError)):
        resolve(module, name)


def reached(path: str) -> Any:
    """What a dotted path leads to, as programs reach it: by imports as far as there are modules."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        return resolve(".".join(parts[:length]), ".".join(parts[length:]))
    raise ImportError(path)


@pytest.mark.parametrize("path", clients.NAMES)
def test_name_of_a_client_resolves(path: str) -> None:
    assert reached(path) is not None


@pytest.mark.parametrize("path", clients.LATER)
def test_name_of_a_client_comes_later(path: str) -> None:
    """A name that has come moves to NAMES in client_names.py."""
    with pytest.raises((AttributeError, ImportError)):
        reached(path)


@pytest.mark.parametrize("path", clients.GONE)
def test_names_that_are_gone_can_be_caught(path: str) -> None:
    with pytest.raises(ImportError):
        importlib.import_module(path)


@pytest.mark.parametrize("kind", ["VARIABLE", "SHARED", "FUNCTION"])
def test_attributes_that_clients_use(kind: str) -> None:
    shared = theano.shared(np.ones((2, 2)))
    objects = {"VARIABLE": shared * 2, "SHARED": shared, "FUNCTION": theano.function([], shared)}
    missing = [name for name in getattr(clients, kind) if name not in dir(objects[kind])]
    assert missing == []


def test_names_are_listed_once() -> None:
    listed = [*names.paths(names.PRESENT), *names.paths(names.LATER)]
    assert len(listed) > 1000
    assert sorted({pair for pair in listed if listed.count(pair) > 1}) == []


@pytest.mark.parametrize(
    "variable",
    [T.dmatrix("x"), T.constant(np.ones((2, 2))), theano.shared(np.ones((2, 2)))],
    ids=["variable", "constant", "shared"],
)
def test_methods_of_tensors(variable: Any) -> None:
    # `hasattr` would take an AttributeError inside of a property for a missing one.
    wanted = names.ATTRIBUTES + names.METHODS
    missing = [name for name in wanted if name not in dir(variable)]
    assert missing == []


def test_methods_of_shared_variables_and_functions() -> None:
    s = theano.shared(np.zeros(2))
    f = theano.function([], s, updates={s: s + 1})
    for name in ("get_value", "set_value", "container", "default_update", "zero", "clone", "type"):
        assert hasattr(s, name), name
    for name in ("copy", "fn", "maker", "value", "container", "defaults", "indices", "free",
                 "trust_input", "name", "input_storage", "output_storage"):  # fmt: skip
        assert hasattr(f, name), name


def test_methods_of_types_and_streams() -> None:
    from theano.sandbox.rng_mrg import MRG_RandomStreams  # noqa: TID251

    from theano.sparse import SparseType
    from theano.typed_list import TypedListType

    common = ["filter", "is_valid_value", "values_eq", "may_share_memory"]
    tensors = [*common, "clone", "filter_variable", "convert_variable", "values_eq_approx",
               "make_variable", "make_constant", "value_zeros", "numpy_dtype"]  # fmt: skip
    streams = ["rstate", "state_updates", "inc_rstate", "get_substream_rstates"]
    for owner, listed in (
        (T.dmatrix, tensors),
        (SparseType("csr", "float64"), [*common, "values_eq_approx", "format"]),
        (TypedListType(T.dvector), [*common, "ttype", "get_depth"]),
        (T.shared_randomstreams.RandomStreams(1), ["state_updates", "gen_seedgen"]),
        (MRG_RandomStreams(1), streams),
    ):
        assert [name for name in listed if not hasattr(owner, name)] == [], owner


def test_methods_of_sparse_variables() -> None:
    from theano import sparse

    x = sparse.csr_matrix("x")
    for name in ("T", "toarray", "dot", "shape", "ndim", "dtype", "format", "astype", "transpose"):
        assert hasattr(x, name), name
    assert isinstance(theano.shared(scipy.sparse.csr_matrix((2, 2))), theano.compile.SharedVariable)
