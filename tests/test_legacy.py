"""Old import paths: they import, and they stay thin."""

import ast
import importlib
from pathlib import Path

import pytest

import theano
import theano.tensor as T

ROOT = Path(theano.__file__).parent / "_legacy"
FILES = sorted(ROOT.rglob("*.py"))
GONE = {"theano.sandbox.cuda"}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["theano", *(p for p in parts if p != "__init__")])


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_old_path_imports(path):
    name = module_of(path)
    if name in GONE:
        with pytest.raises(ImportError, match="removed"):
            importlib.import_module(name)
    else:
        module = importlib.import_module(name)
        assert all(hasattr(module, public) for public in getattr(module, "__all__", ()))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_adapters_are_thin(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            assert node.end_lineno - node.lineno < 15, node.name


def test_nothing_of_ours_imports_old_paths():
    old = {module_of(path) for path in FILES} - {"theano"}
    for path in ROOT.parent.rglob("*.py"):
        if ROOT in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module not in old, path
            elif isinstance(node, ast.Import):
                assert not old & {alias.name for alias in node.names}, path


def test_gof_graph():
    graph = importlib.import_module("theano.gof.graph")

    x, y = T.dvectors("xy")
    assert graph.inputs([x + y]) == [x, y]
    assert graph.is_same_graph(x + y, x + y)
    assert not graph.is_same_graph(x + y, y + x)
    assert graph.is_same_graph(x + 1, y + 1, givens={x: y})
    z = T.exp(x + y)
    assert [str(n.op) for n in graph.io_toposort([x, y], [z])][-1] == "Elemwise{exp,no_inplace}"
    assert graph.orphans([x], [z]) == [y]


def test_flags_under_the_old_address():
    from theano.configparser import change_flags

    with change_flags(floatX="float32"):
        assert theano.config.floatX == "float32"


def test_try_except_import_error_of_old_clients():
    try:
        from theano.sandbox.cuda import dnn  # noqa: TID251
    except ImportError:
        dnn = None
    assert dnn is None
