"""FunctionGraph in the hands of a user: replacements, features that listen and object, linkers."""

import copy
import pickle

import numpy as np
import pytest
from user_ops import Bump

import theano
import theano.tensor as T
from theano import gof  # noqa: TID251


@pytest.fixture
def xy():
    return T.dvectors("x", "y")


@pytest.fixture
def graph(xy):
    x, y = xy
    return gof.FunctionGraph([x, y], [T.exp(x) + y, T.log(x)], clone=False)


def first_exp(graph):
    return graph.outputs[0].owner.inputs[0]


class Listener(gof.toolbox.Feature):
    """Notes all that it hears."""

    def __init__(self):
        self.heard = []

    def on_import(self, fgraph, node, reason):
        self.heard.append(("import", str(node.op), str(reason)))

    def on_prune(self, fgraph, node, reason):
        self.heard.append(("prune", str(node.op), str(reason)))

    def on_change_input(self, fgraph, node, i, r, new_r, reason=None):
        self.heard.append(("change", str(getattr(node, "op", node)), i))

    def on_detach(self, fgraph):
        self.heard.append("bye")


class NoLogs(gof.toolbox.Feature):
    """Refuses graphs with a logarithm of a sum."""

    def validate(self, fgraph):
        for node in fgraph.toposort():
            if node.op == T.log and node.inputs[0].owner:
                raise gof.InconsistencyError("a logarithm of something")


# replacing


def test_clients_are_known_and_kept(graph, xy):
    x, y = xy
    assert {(str(node.op), i) for node, i in graph.clients(x)} == {
        ("Elemwise{exp,no_inplace}", 0), ("Elemwise{log,no_inplace}", 0)}  # fmt: skip
    graph.replace(first_exp(graph), T.sqr(y))
    assert [str(node.op) for node, _ in graph.clients(x)] == ["Elemwise{log,no_inplace}"]
    assert len(graph.clients(y)) == 2
    assert graph.clients(graph.outputs[1]) == [("output", 1)]
    assert x.clients is graph.clients(x)
    assert x.fgraph is graph
    assert len(graph.apply_nodes) == 3


def test_a_replacement_may_use_what_it_replaces(graph):
    old = first_exp(graph)
    graph.replace(old, old * 2)
    assert str(graph).startswith("[Elemwise{add,no_inplace}(Elemwise{mul,no_inplace}(Elemwise{exp")
    assert old in graph


def test_types_must_fit(graph):
    with pytest.raises(TypeError, match="Cannot convert"):
        graph.replace(first_exp(graph), T.lmatrix())
    with pytest.raises(TypeError, match="must be"):
        graph.change_input(graph.outputs[0].owner, 0, T.lmatrix())


def test_what_is_unknown_is_refused_and_nothing_changes(graph):
    before = str(graph)
    with pytest.raises(gof.MissingInputError, match="unknown"):
        graph.replace(first_exp(graph), T.dvector("unknown") + 1)
    assert str(graph) == before
    graph.replace(first_exp(graph), T.sqr(graph.inputs[0]))
    assert "sqr" in str(graph)


def test_one_input_is_changed(graph, xy):
    graph.change_input(graph.outputs[0].owner, 1, xy[0])
    graph.change_input("output", 1, xy[1])
    assert str(graph) == "[Elemwise{add,no_inplace}(Elemwise{exp,no_inplace}(x), x), y]"
    assert len(graph.toposort()) == 2
    graph.check_integrity()


def test_several_are_replaced_and_the_user_keeps_his_graph(xy):
    x, y = xy
    out = T.exp(x) * T.log(y)
    graph = gof.FunctionGraph([x, y], [out])
    a, b = graph.outputs[0].owner.inputs
    graph.replace_all([(a, T.sqr(graph.inputs[0])), (b, T.neg(graph.inputs[1]))])
    assert "sqr" in str(graph)
    assert "neg" in str(graph)
    assert "sqr" not in str(gof.FunctionGraph([x, y], [out]))


def test_thousands_of_nodes_are_replaced():
    x = T.dscalar("x")
    v = x
    for _ in range(3000):
        v = T.exp(v)
    graph = gof.FunctionGraph([x], [v], clone=False)
    for node in graph.toposort():
        graph.replace_validate(node.outputs[0], T.sin(node.inputs[0]))
    assert {node.op for node in graph.toposort()} == {T.sin}
    assert len(graph.toposort()) == 3000
    assert theano.function([x], graph.outputs[0] * 0, mode="FAST_COMPILE")(1.0) == 0


def test_objections_undo_a_replacement(graph):
    graph.attach_feature(NoLogs())
    before = str(graph)
    with pytest.raises(gof.InconsistencyError, match="a logarithm"):
        graph.replace_validate(first_exp(graph), T.log(T.sqr(graph.inputs[0])))
    assert str(graph) == before
    with pytest.raises(TypeError):
        graph.replace_all_validate(
            [(graph.outputs[1], T.sqr(graph.inputs[0])), (first_exp(graph), T.lscalar())]
        )
    assert str(graph) == before
    assert graph.consistent()
    graph.validate()
    graph.replace(first_exp(graph), T.log(T.sqr(graph.inputs[0])))
    assert not graph.consistent()


def test_a_variable_that_should_be_gone(graph):
    exp = first_exp(graph)
    before = str(graph)
    with pytest.raises(gof.toolbox.ReplacementDidntRemovedError):
        graph.replace_all_validate_remove([(graph.outputs[1], T.neg(exp))], [exp])
    assert str(graph) == before
    graph.replace_all_validate_remove([(exp, T.neg(graph.inputs[0]))], [exp])
    assert exp not in graph


def test_copies_and_pickles(graph):
    listener = Listener()
    for feature in (
        listener,
        gof.toolbox.History(),
        gof.toolbox.NodeFinder(),
        gof.DestroyHandler(),
    ):
        graph.attach_feature(feature)
    other, pairs = graph.clone_get_equiv()
    assert pairs[graph.outputs[0]] is other.outputs[0]
    other.replace(other.outputs[1], other.inputs[1])
    assert "log" in str(graph)
    again = pickle.loads(pickle.dumps(graph))
    assert str(again) == str(graph)
    again.replace(again.outputs[1], again.inputs[0])
    graph.disown()
    assert listener.heard[-1] == "bye"
    assert not hasattr(graph.outputs[0], "clients")
    assert str(copy.copy(graph)) == str(graph)


# features


def test_features_hear_of_changes(graph):
    listener = Listener()
    graph.attach_feature(listener)
    graph.attach_feature(listener)
    graph.replace(first_exp(graph), T.neg(T.sqr(graph.inputs[0])), reason="why")
    assert listener.heard == [
        ("import", "Elemwise{sqr,no_inplace}", "why"),
        ("import", "Elemwise{neg,no_inplace}", "why"),
        ("change", "Elemwise{add,no_inplace}", 0),
        ("prune", "Elemwise{exp,no_inplace}", "why"),
    ]
    graph.remove_feature(listener)
    graph.replace(graph.outputs[1], graph.inputs[0])
    assert listener.heard[4:] == ["bye"]


def test_features_given_at_once(xy):
    finder = gof.toolbox.NodeFinder()
    x, y = xy
    graph = gof.FunctionGraph([x, y], [T.exp(x) + T.exp(y)], features=[finder])
    assert len(graph.get_nodes(T.exp)) == 2
    graph.replace(first_exp(graph), T.log(graph.inputs[0]))
    assert len(graph.get_nodes(T.exp)) == len(graph.get_nodes(T.log)) == 1
    graph.attach_feature(gof.toolbox.NodeFinder())  # one is enough
    graph.remove_feature(finder)
    assert not hasattr(graph, "get_nodes")


def test_bookkeepers_hear_of_what_is_there_already(graph):
    class Count(gof.toolbox.Bookkeeper):
        seen = 0

        def on_import(self, fgraph, node, reason):
            self.seen += 1

        def on_prune(self, fgraph, node, reason):
            self.seen -= 1

    count = Count()
    graph.attach_feature(count)
    assert count.seen == 3
    graph.replace(graph.outputs[1], graph.inputs[0])
    assert count.seen == 2
    graph.remove_feature(count)
    assert count.seen == 0


def test_history_goes_back(graph):
    graph.attach_feature(gof.toolbox.History())
    before = str(graph)
    start = graph.checkpoint()
    graph.replace(first_exp(graph), T.sqr(graph.inputs[0]))
    middle, between = graph.checkpoint(), str(graph)
    graph.replace(graph.outputs[1], graph.inputs[1])
    graph.replace(graph.outputs[0], graph.inputs[0])
    graph.revert(middle)
    assert str(graph) == between
    graph.revert(start)
    assert str(graph) == before


def test_names_and_notes_are_handed_on(graph):
    old = first_exp(graph)
    old.name, old.tag.note = "important", 1
    graph.attach_feature(gof.toolbox.PreserveNames())
    new = T.sqr(graph.inputs[0])
    graph.replace(old, new)
    assert new.name == "important"
    assert not hasattr(new.tag, "note")
    graph.attach_feature(gof.toolbox.PreserveVariableAttributes())
    new.tag.note = 2
    newest = T.neg(graph.inputs[0])
    graph.replace(new, newest)
    assert (newest.name, newest.tag.note) == ("important", 2)


def test_changes_are_printed(graph, capsys):
    graph.attach_feature(gof.toolbox.PrintListener())
    graph.replace(first_exp(graph), T.sqr(graph.inputs[0]), reason="because")
    text = capsys.readouterr().out
    assert text.startswith("-- attaching to: [Elemwise{add")
    assert "-- importing: Elemwise{sqr,no_inplace}(x) reason: because" in text
    assert "-- pruning: Elemwise{exp,no_inplace}(x) reason: because" in text


def test_orderings_are_kept(graph):
    exp, log = first_exp(graph).owner, graph.outputs[1].owner

    class LogFirst(gof.toolbox.Feature):
        def orderings(self, fgraph):
            return {exp: [log]}

    assert graph.toposort().index(exp) < graph.toposort().index(log)
    graph.attach_feature(LogFirst())
    assert graph.toposort().index(exp) > graph.toposort().index(log)
    assert gof.graph.io_toposort(graph.inputs, graph.outputs, {exp: [log]})[0] is log
    with pytest.raises(ValueError, match="cycle"):
        gof.graph.io_toposort(graph.inputs, graph.outputs, {exp: [graph.outputs[0].owner]})


def test_what_is_overwritten(xy):
    x, y = xy
    graph = gof.FunctionGraph([x, y], [Bump()(x), y], clone=False)
    graph.attach_feature(gof.DestroyHandler())
    assert graph.has_destroyers([x])
    assert not graph.has_destroyers([y])
    assert [node.op for node in graph.destroyers(x)] == [Bump()]
    with pytest.raises(gof.InconsistencyError, match="more than once"):
        graph.replace_validate(graph.outputs[1], Bump()(x))
    graph.attach_feature(gof.toolbox.NoOutputFromInplace(1))
    graph.validate()
    with pytest.raises(gof.InconsistencyError, match="in place"):
        graph.replace_validate(graph.outputs[1], Bump()(y))
    f = theano.function([x], [Bump()(x), x])
    assert [v.tolist() for v in f([1.0])] == [[2.0], [1.0]]


def test_callbacks_can_be_called(graph):
    class Asked(gof.toolbox.Feature):
        def opinion(self, fgraph, about):
            return f"{about}?"

    asked = Asked()
    graph.attach_feature(asked)
    graph.execute_callbacks("opinion", "what")
    assert graph.collect_callbacks("opinion", "what") == {asked: "what?"}


# linkers by themselves, parameters, walks


@pytest.mark.parametrize(
    "linker",
    [gof.PerformLinker, gof.OpWiseCLinker, gof.CLinker, gof.DualLinker, gof.VM_Linker,
     lambda: gof.VM_Linker(allow_gc=False, use_cloop=True)],
)  # fmt: skip
def test_linkers_run_a_graph(linker, xy):
    x, y = xy
    graph = gof.FunctionGraph([x, y], [x * 2 + y])
    fn = linker().accept(graph).make_function()
    assert np.asarray(fn(np.ones(2), np.ones(2))).tolist() == [3.0, 3.0]
    thunk, inputs, outputs = linker().accept(graph).make_thunk()
    inputs[0][0], inputs[1][0] = np.zeros(1), np.ones(1)
    thunk()
    assert outputs[0][0].tolist() == [1.0]


def test_every_node_through_a_wrapper(xy):
    x, y = xy
    seen = []

    def wrapper(index, node, thunk):
        thunk()
        seen.append((str(node.op), float(thunk.outputs[0][0].sum())))

    linker = gof.WrapLinkerMany([gof.PerformLinker()], [wrapper])
    f = theano.function([x, y], T.exp(x) + y, mode=theano.Mode(linker, "fast_compile"))
    assert f([0.0], [2.0]).tolist() == [3.0]
    assert seen == [("Elemwise{exp,no_inplace}", 1.0), ("Elemwise{add,no_inplace}", 3.0)]


class Scaled(theano.Op):
    """scale x, by an op with parameters."""

    __props__ = ("scale",)
    params_type = gof.ParamsType(scale=theano.scalar.float64)

    def __init__(self, scale):
        self.scale = scale

    def make_node(self, x):
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage, params):
        output_storage[0][0] = inputs[0] * params.scale


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_parameters_of_ops(mode, xy):
    f = theano.function([xy[0]], Scaled(3)(xy[0]), mode=mode)
    assert f([2.0]).tolist() == [6.0]


def test_types_of_parameters():
    kind = gof.ParamsType(a=theano.scalar.int32, b=T.dvector)
    params = kind.get_params(a=1, b=np.ones(2))
    assert (int(params.a), params["b"].tolist()) == (1, [1.0, 1.0])
    assert kind == gof.ParamsType(b=T.dvector, a=theano.scalar.int32)
    assert kind.get_type("a") == theano.scalar.int32
    assert kind.values_eq(params, kind.get_params(a=1, b=np.ones(2)))
    assert not kind.values_eq(params, kind.get_params(a=2, b=np.ones(2)))
    with pytest.raises(TypeError, match="no value for the fields"):
        kind.get_params(a=1)
    with pytest.raises(TypeError):
        kind.get_params(a="one", b=np.ones(2))
    with pytest.raises(AttributeError, match="no field 'c'"):
        _ = params.c
    with pytest.raises(TypeError, match="needs a Type"):
        gof.ParamsType(a=1)
    with pytest.raises(ValueError, match="at least one"):
        gof.ParamsType()


def test_ops_with_c_code_only_say_so(xy):
    class Foreign(gof.COp):
        __props__ = ()

        def __init__(self):
            super().__init__("code.c", "main")

        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

    with pytest.raises(NotImplementedError, match=r"C code only \(code.c\)"):
        theano.function([xy[0]], Foreign()(xy[0]))([1.0])
    with pytest.raises(NotImplementedError, match="theano-cache"):
        gof.cmodule.get_module_cache()


def test_walks(xy):
    x, y = xy
    with gof.nodes_constructed() as made:
        z = T.exp(x)
    assert made == [z]
    assert gof.view_roots(z) == [z]
    assert gof.view_roots(T.dmatrix().T)[0].owner is None
    memo = gof.graph.clone_get_equiv([x], [z + y])
    assert memo[y] is y
    assert memo[z.owner].op == T.exp
    order = gof.general_toposort([1], lambda n: range(n + 1, min(n + 3, 6)))
    assert order == [5, 4, 3, 2, 1]
    with pytest.raises(ValueError, match="cycle"):
        gof.general_toposort([1], lambda n: [1])
    assert gof.ops_with_inner_function[theano.OpFromGraph] == "inner_outputs"


def test_helpers(tmp_path):
    utils = gof.utils
    calls = []

    @utils.memoize
    def double(n):
        calls.append(n)
        return 2 * n

    assert [double(1), double(1), double(2)] == [2, 2, 4]
    assert calls == [1, 2]

    @utils.deprecated("module", "use another")
    def old():
        return 1

    with pytest.warns(UserWarning, match="module.old: use another"):
        assert old() == 1
    assert old() == 1
    (tmp_path / "file").write_text("text")
    assert len(utils.hash_from_file(tmp_path / "file")) == 64
    a, b, c = T.dscalar(), T.dscalar("v0"), T.dscalar()
    utils.give_variables_names([a, b, c])
    assert len({a.name, b.name, c.name}) == 3
    cache = gof.callcache.CallCache(str(tmp_path / "calls"))
    assert [cache.call(max, (1, 2), "k"), cache.call(max, (5, 6), "k")] == [2, 2]
    cache.persist()
    assert gof.callcache.CallCache(str(tmp_path / "calls")).call(max, (0, 0), "k") == 2
    with gof.compilelock.lock_ctx():
        assert gof.compilelock.get_lock() is None
