"""Old import paths: they import, and they stay thin."""

import ast
import importlib
from pathlib import Path

import pytest

import theano
import theano.tensor as T
from theano.core.errors import MethodNotDefined

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


# what names lead to


def test_python_two_and_three():
    from theano.compat import cmp, six
    from theano.compat.six.moves import xrange
    from theano.compat.six.moves.cPickle import dumps

    assert list(xrange(3)) == [0, 1, 2]
    assert dumps is importlib.import_module("pickle").dumps
    assert (cmp(1, 2), cmp(2, 2), cmp("b", "a")) == (-1, 0, 1)
    mapping = {"a": 1}
    found = [list(f(mapping)) for f in (six.iteritems, six.iterkeys, six.itervalues)]
    assert found == [[("a", 1)], ["a"], [1]]
    assert six.b("é") == b"\xe9"


def test_the_op_of_the_tutorial():
    from theano.misc.doubleop import DoubleOp

    x = T.dmatrix("x")
    f = theano.function([x], [DoubleOp()(x), T.grad(DoubleOp()(x).sum(), x)])
    assert [v.tolist() for v in f([[1.0]])] == [[[2.0]], [[2.0]]]


def test_check_blas(capsys):
    from theano.misc import check_blas

    seconds, device = check_blas.execute(M=10, N=10, K=10, iters=2)
    assert seconds > 0
    assert device == theano.config.device
    assert check_blas.execute(execute=False)[0] == 0


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_ops_that_make_thunks(mode):
    class Old(theano.Op):
        __props__ = ()

        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

        def make_thunk(self, node, storage_map, compute_map, no_recycling, impl=None):
            source, target = storage_map[node.inputs[0]], storage_map[node.outputs[0]]

            def thunk():
                target[0] = source[0] + 1
                compute_map[node.outputs[0]][0] = True

            return thunk

    x = T.dvector("x")
    assert theano.function([x], Old()(x) * 2, mode=mode)([1.0]).tolist() == [4.0]


def test_thunks_of_ops_with_perform():
    prepared = []

    class Op(theano.Op):
        __props__ = ()

        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, output_storage):
            output_storage[0][0] = inputs[0] + 1

        def prepare_node(self, node, storage_map, compute_map, impl):
            prepared.append(impl)

    x = T.dvector("x")
    node = Op()(x).owner
    storage, computed = {x: [1], node.outputs[0]: [None]}, {node.outputs[0]: [False]}
    node.op.make_thunk(node, storage, computed, [], impl="py")()
    assert (storage[node.outputs[0]], computed[node.outputs[0]]) == ([2], [True])
    assert prepared == ["py"]

    class Nothing(theano.Op):
        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

    with pytest.raises(MethodNotDefined, match="perform"):
        theano.function([x], Nothing()(x), mode="FAST_COMPILE")([1.0])


def test_shared_variables_filter():
    s = theano.shared(1.0)
    assert s.filter(2) == 2
    with pytest.raises(TypeError):
        s.filter("two")
    assert s.filter_update(s * 2).type == s.type
    with pytest.raises(TypeError):
        s.filter_update(T.lmatrix())


def test_graphs_of_loops():
    from theano.scan_module import scan_utils

    x, n, m = T.dmatrix("x"), T.lscalar("n"), T.lscalar("m")
    shape = scan_utils.infer_shape([T.dot(x, x.T), x.sum(axis=0)], [x], [(n, m)])
    assert [[str(size) for size in found] for found in shape] == [["n", "n"], ["m"]]
    grown = scan_utils.expand_empty(x, 2)
    assert grown.eval({x: [[1.0, 2.0]]}).shape == (3, 2)
    assert grown.eval({x: [[1.0, 2.0]]})[0].tolist() == [1, 2]
    assert scan_utils.expand_empty(x, 0) is x


@pytest.mark.parametrize(
    ("module", "name", "error", "text"),
    [
        ("theano.scan_module.scan_utils", "scan_args", AttributeError, "op.form"),
        ("theano.ifelse", "cond_make_inplace", AttributeError, "in place"),
        ("theano.tensor.opt", "local_add_canonizer", AttributeError, "register_specialize"),
        ("theano.gof.vm", "Loop", NotImplementedError, "native code"),
        ("theano.tests.main", "test", NotImplementedError, "make test"),
        ("theano.gof.cmodule", "get_module_cache", NotImplementedError, "theano-cache"),
    ],
)
def test_what_there_is_not_says_what_to_do(module, name, error, text):
    with pytest.raises(error, match=text):
        getattr(importlib.import_module(module), name)()


def test_old_calls_that_do_nothing():
    handlers = list(theano.theano_logger.handlers)
    theano.disable_log_handler()
    assert theano.theano_logger.handlers == handlers
    assert theano.compile.register_view_op_c_code(T.TensorType, "code", 1) is None
    assert importlib.import_module("theano.gof.cmodule").gcc_version() == ""
