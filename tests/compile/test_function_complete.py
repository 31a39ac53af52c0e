"""Functions: what old scripts expect beyond compiling and calling."""

import copy
import importlib
import io
import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse
from theano.misc.pkl_utils import StripPickler, dump, load
from theano.tests.breakpoint import PdbBreakpoint

import theano
import theano.sparse
import theano.tensor as T
from theano.graph.traverse import ancestors
from theano.graph.traverse import inputs as roots
from theano.ifelse import ifelse
from theano.raise_op import Raise
from theano.tensor.random.mrg import MRG_RandomStreams
from theano.tensor.shared_randomstreams import RandomStreams


def deep(x, depth=5000):
    y = x
    for _ in range(depth):
        y = T.sin(y)
    return y


# ---- pickles and copies of graphs


@pytest.mark.parametrize("way", [pickle._dumps, pickle.dumps])
def test_a_deep_variable_pickles_with_what_is_shared(way):
    x = T.dvector("x")
    top = deep(x)
    middle = top.owner.inputs[0]
    d = pickle.loads(way({"x": x, "middle": middle, "top": top, "node": top.owner}))
    assert d["top"].owner is d["node"]
    assert d["node"].inputs[0] is d["middle"]
    assert roots([d["top"]]) == [d["x"]]
    assert d["x"].name == "x"


def test_a_list_of_many_parts_of_a_graph_pickles_in_any_order():
    x = T.dvector("x")
    parts = [x]
    for _ in range(500):
        parts.append(T.sin(parts[-1]))
    for order in (parts, parts[::-1]):
        found = pickle.loads(pickle.dumps(order))
        found = found if order is parts else found[::-1]
        assert all(b.owner.inputs[0] is a for a, b in pairwise(found))


def test_deep_copies_of_graphs():
    x = T.dvector("x")
    both = copy.deepcopy((x, deep(x, 3000)))
    assert roots(both[1:]) == [both[0]]
    assert both[0] is not x
    short = copy.copy(x + 1)
    assert short.owner.inputs[0] is x


def test_a_pickle_that_failed_leaves_nothing_behind():
    class Refuses:
        def __reduce__(self):
            raise RuntimeError("no")

    y = deep(T.dvector("x"), 100)
    y.tag.note = Refuses()
    top = deep(y, 100)
    with pytest.raises(RuntimeError, match="no"):
        pickle.dumps(top)
    del y.tag.note
    assert len(ancestors([pickle.loads(pickle.dumps(top))])) == 201


def kinds_of_functions():
    x = T.dvector("x")
    w = theano.shared(np.ones(4), "w")
    steps, _ = theano.scan(
        lambda a, b: T.tanh(a + b * w), sequences=[x], outputs_info=[T.ones((4,))]
    )
    a, b = T.dvectors("ab")
    op = theano.OpFromGraph([a, b], [a * b + w.sum()])
    eye = theano.shared(scipy.sparse.csr_matrix(np.eye(4)), "eye")
    return {
        "scan": ([steps[-1], theano.grad(steps[-1].sum(), w)], {}),
        "ifelse": (ifelse(x.sum() > 0, x * 2, x - 1), {}),
        "object": (op(x, x + 1), {}),
        "sparse": (theano.sparse.dot(eye, x), {}),
        "random": (x + RandomStreams(3).normal((4,)), {}),
        "mrg": (x + MRG_RandomStreams(3).uniform((4,)), {}),
        "updates": (w * x, {"updates": [(w, w + x)]}),
    }, x


@pytest.mark.parametrize("kind", list(kinds_of_functions()[0]))
def test_functions_of_all_kinds_pickle_and_copy(kind):
    kinds, x = kinds_of_functions()
    outputs, options = kinds[kind]
    f = theano.function([x], outputs, **options)
    value = np.arange(4.0)
    others = [pickle.loads(pickle.dumps(f)), copy.deepcopy(f)]
    for _ in range(2):
        expected = f(value)
        for other in others:
            for got, wanted in zip(np.atleast_2d(other(value)), np.atleast_2d(expected),
                                   strict=True):  # fmt: skip
                np.testing.assert_allclose(got, wanted, rtol=1e-12)
    f.free()
    assert np.shape(f.copy()(value)) == np.shape(f(value))
    mode = "FAST_COMPILE"
    assert pickle.loads(pickle.dumps(theano.function([x], outputs, mode=mode)))(value) is not None


def test_models_as_zip_files_of_arrays():
    w, v = theano.shared(np.arange(3.0), "w"), theano.shared(np.eye(2), "w")
    nameless = theano.shared(np.ones(2))
    file = io.BytesIO()
    dump((w, v, nameless, deep(w, 300)), file)
    members = np.load(io.BytesIO(file.getvalue()), allow_pickle=True)
    assert {"w", "w_2", "array_0", "pkl"} <= set(members.files)
    np.testing.assert_array_equal(members["w"], [0, 1, 2])
    w2, v2, n2, top = load(io.BytesIO(file.getvalue()))
    assert roots([top]) == [w2]
    np.testing.assert_array_equal(v2.get_value(), np.eye(2))
    np.testing.assert_array_equal(n2.get_value(), [1, 1])
    np.testing.assert_array_equal(w.get_value(), [0, 1, 2])
    with pytest.raises(ValueError, match="cannot be stored under"):
        dump(theano.shared(np.ones(1), "pkl"), io.BytesIO())


def test_a_stripping_pickler_leaves_notes_out():
    x = T.dvector("x")
    x.tag.test_value = np.ones(2)
    x.tag.private, x.tag.kept = "secret", 1
    file = io.BytesIO()
    StripPickler(file, 2, extra_tag_to_remove="private").dump(x + 1)
    (found,) = [v for v in roots([pickle.loads(file.getvalue())]) if v.name == "x"]
    assert vars(found.tag) == {"kept": 1}
    assert x.tag.private == "secret"


def test_dumped_calls_leave_out_tags_where_asked(tmp_path):
    x = T.dvector("x")
    x.tag.private = lambda: None  # does not pickle
    path = tmp_path / "call.pkl"
    theano.function_dump(str(path), [x], x * 2, extra_tag_to_remove="private")
    np.testing.assert_array_equal(theano.function(**pickle.loads(path.read_bytes()))([2.0]), [4])


def test_scratch_memory_is_freed_and_taken_again():
    x, w = T.dmatrix("x"), theano.shared(np.ones((50, 50)), "w")
    f = theano.function([x], T.dot(T.tanh(T.dot(x, w)), w).sum())
    value = np.ones((50, 50))
    first = f(value)
    block = f.native.__self__[0]
    assert any(block[4:] > 2**20)
    f.free()
    f.free()
    assert f(value) == first


# ---- calling


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
@pytest.mark.parametrize("bad", [[1.0, 2.0], None, "a", 3.0, np.ones((2, 2)), np.ones(2, complex)])
def test_trusted_values_that_are_wrong_raise_type_error(mode, bad):
    x = T.dvector("x")
    s = theano.shared(np.zeros(2), "s")
    f = theano.function([x], [x * 2, s], updates=[(s, s + x)], mode=mode)
    f.trust_input = True
    with pytest.raises(TypeError, match="Bad input argument"):
        f(bad)
    np.testing.assert_array_equal(s.get_value(), [0, 0])
    np.testing.assert_array_equal(f(np.ones(2))[0], [2, 2])


def test_values_and_containers_of_a_function():
    x, y = T.dvector("x"), T.dscalar("y")
    f = theano.function([x, theano.In(y, value=3.0)], {"a": x * y, "b": x})
    assert f["y"] == f[y] == f.value["y"] == f.container["y"].data == 3
    assert y in f
    assert list(f([1.0], output_subset=["b"])) == ["b"]
    np.testing.assert_array_equal(f(y=2, x=[1.0])["a"], [2])
    f.value["y"] = 5.0
    np.testing.assert_array_equal(f([1.0])["a"], [5])


def test_a_copy_with_other_state_profile_and_name():
    x, s = T.dvector("x"), theano.shared(np.zeros(2), "s")
    f = theano.function([x], s + x, updates=[(s, s + x)], name="f")
    other = theano.shared(np.ones(2), "other")
    g = f.copy(share_memory=True, swap={s: other}, delete_updates=True, name="g", profile=True)
    np.testing.assert_array_equal(g([1, 1]), [2, 2])
    np.testing.assert_array_equal(other.get_value(), [1, 1])
    assert (g.name, g.profile.fct_callcount, f.profile) == ("g", 1, None)


def test_default_updates_may_be_refused_one_by_one():
    a, b = theano.shared(0, "a"), theano.shared(0, "b")
    a.default_update, b.default_update = a + 1, b + 1
    theano.function([], [a, b], no_default_updates=[a])()
    assert (a.get_value(), b.get_value()) == (0, 1)
    theano.function([], [a, b], no_default_updates=True)()
    assert (a.get_value(), b.get_value()) == (0, 1)


def test_clone_replaces_strictly_or_freely():
    x, y, i = T.dvector("x"), T.dvector("y"), T.ivector("i")
    z = T.exp(x) + 1
    np.testing.assert_allclose(theano.clone(z, {x: y * 2}).eval({y: [1.0]}), np.exp(2) + 1)
    with pytest.raises(TypeError):
        theano.clone(z, {x: T.dmatrix()})
    assert theano.clone(z, {x: i}, strict=False).eval({i: [0]}) == [2.0]
    (copied,) = [v for v in roots([theano.clone(z, share_inputs=False)]) if v.name == "x"]
    assert copied is not x
    assert x in roots([theano.clone(z)])


# ---- modes


def test_any_old_tag_is_accepted():
    x = T.dvector("x")
    mode = theano.Mode("cvm", "fast_run").including("gpuarray", "local_nonsense")
    mode = mode.excluding("local_elemwise_fusion", "never_heard").including("inplace")
    np.testing.assert_allclose(theano.function([x], T.exp(x) + 0, mode=mode)([0.0]), [1])
    for query in ("fast_run", "o1", "unsafe", None, "None", "merge"):
        f = theano.function([x], x + 1, mode=theano.Mode("cvm", query))
        np.testing.assert_array_equal(f([1.0]), [2])


def test_required_tags_leave_other_rewrites_out():
    x = T.dvector("x")
    plain = theano.Mode("cvm", "fast_run")

    def nodes(mode):
        return len(theano.function([x], (x + 0) * 1, mode=mode).maker.fgraph.apply_nodes)

    assert nodes(plain.requiring("fast_run")) == nodes(plain) < nodes(plain.requiring("no such"))
    assert nodes(plain.requiring("canonicalize")) < nodes(plain.requiring("no such"))


# ---- ops that show, assert, raise and stop


def test_printing_and_raising_inside_functions(capfd):
    x = T.dvector("x")
    shown = theano.printing.Print("x is", attrs=("shape",))(x)
    f = theano.function([x], shown * 2)
    np.testing.assert_array_equal(f([1.0, 2.0]), [2, 4])
    assert "x is shape = (2,)" in capfd.readouterr().out
    np.testing.assert_array_equal(theano.grad((shown**2).sum(), x).eval({x: [3.0]}), [6])
    refuse = theano.function([x], Raise("not here", ValueError)(x))
    with pytest.raises(ValueError, match="not here"):
        refuse([1.0])
    checked = theano.function([x], T.opt.Assert("negative")(x, T.all(x >= 0)))
    np.testing.assert_array_equal(checked([1.0]), [1])
    with pytest.raises(AssertionError, match="negative"):
        checked([-1.0])


def test_breakpoints_stop_where_the_condition_holds(monkeypatch):
    stops = []
    monkeypatch.setattr(PdbBreakpoint, "stop", lambda self, values: stops.append(values))
    x, y = T.dvectors("xy")
    a, b = PdbBreakpoint("big")(T.any(x > 1), x, y)
    f = theano.function([x, y], [a * 2, b, *theano.grad((a * b).sum(), [x, y])])
    np.testing.assert_array_equal(f([1.0], [2.0])[2], [2])
    assert stops == []
    f([3.0], [4.0])
    assert [v.tolist() for v in stops[0]] == [[3.0], [4.0]]
    with pytest.raises(TypeError, match="0-d condition"):
        PdbBreakpoint("vector")(x > 1, x)


# ---- test values


def test_values_are_checked_while_a_graph_is_built():
    v, w = T.dmatrix("v"), T.dmatrix("w")
    v.tag.test_value, w.tag.test_value = np.ones((3, 2)), np.ones((5, 5))
    with theano.change_flags(compute_test_value="raise"):
        sums, _ = theano.scan(lambda row: row.sum() * 2, sequences=[v])
        np.testing.assert_array_equal(sums.tag.test_value, [4, 4, 4])
        with pytest.raises(ValueError, match="not aligned"):
            T.dot(v, w)
        with pytest.raises(ValueError, match="not aligned"):
            theano.scan(lambda row: T.dot(row, w), sequences=[v])
        with pytest.raises(AttributeError, match="missing default value"):
            T.dvector("q") + 1
    with theano.change_flags(compute_test_value="warn"):  # noqa: SIM117
        with pytest.warns(UserWarning, match="test value") as found:
            T.dvector("q") + 1
    assert found[0].filename == __file__
    with theano.change_flags(compute_test_value="ignore"):
        assert not hasattr((T.dvector("q") + 1).tag, "test_value")
        assert (v + 1).tag.test_value.shape == (3, 2)
        op = importlib.import_module("theano.gof.op")
        assert [a.shape for (a,) in op.get_debug_values(v)] == [(3, 2)]


# ---- errors


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_errors_tell_the_line_the_op_and_the_inputs(mode):
    x, w = T.dmatrices("xw")
    product = T.dot(x, w)  # the guilty line
    f = theano.function([x, w], T.exp(product).sum(), mode=mode)
    with pytest.raises(ValueError, match="Apply node") as low:
        f(np.ones((2, 3)), np.ones((4, 5)))
    text = str(low.value)
    assert "the guilty line" in text
    assert "Inputs shapes: [(2, 3), (4, 5)]" in text
    assert "Inputs strides: [(24, 8), (40, 8)]" in text
    assert "float64" in text
    assert "exception_verbosity=high" in text
    with theano.change_flags(exception_verbosity="high"):  # noqa: SIM117
        with pytest.raises(ValueError, match="Apply node") as high:
            f(np.ones((2, 3)), np.ones((4, 5)))
    assert "Storage map footprint" in str(high.value)
    assert "Debugprint of the apply node" in str(high.value)


@pytest.mark.parametrize(
    "path",
    [
        "theano.compile.function_module.FunctionMaker",
        "theano.compile.function_module.orig_function",
        "theano.compile.builders.OpFromGraph",
        "theano.compile.profiling.ProfileStats",
        "theano.compile.profilemode.ProfileMode",
        "theano.compile.mode.get_mode",
    ],
)
def test_old_addresses(path):
    module, _, name = path.rpartition(".")
    assert getattr(importlib.import_module(module), name)


def test_old_forms_of_inputs():
    module = importlib.import_module("theano.compile.function_module")
    x, y = T.dscalars("xy")
    given = module.convert_function_input(["first", x, 2.0])
    assert (given.name, given.value) == ("first", 2.0)
    assert module.convert_function_input((x, 3.0)).value == 3
    state = module.convert_function_input([(y, y + x), 0.0])
    f = module.orig_function([x, state], [x + y])
    assert [f(1.0)[0], f(1.0)[0]] == [1, 2]
    with pytest.raises(TypeError, match="Nonsensical"):
        module.convert_function_input([])
