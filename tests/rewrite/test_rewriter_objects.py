"""What users make rewrites of: merging, groups, databases, decorators, shapes."""

import numpy as np
import pytest
from user_ops import Twice, twice, twice_fast

import theano
import theano.tensor as T
from theano import gof  # noqa: TID251
from theano.tensor import opt


@pytest.fixture
def x():
    return T.dvector("x")


def test_merging():
    x, y = T.dvectors("x", "y")
    graph = gof.FunctionGraph([x, y], [T.exp(x) + T.exp(x), T.log(T.exp(x))], clone=False)
    gof.MergeOptimizer().optimize(graph)
    assert len(graph.toposort()) == 3
    graph = gof.FunctionGraph([x], [x * T.constant(2.5), x * T.constant(2.5)], clone=False)
    gof.opt.merge_optimizer.optimize(graph)
    assert graph.outputs[0] is graph.outputs[1]
    graph = gof.FunctionGraph([x, y], [T.exp(x) + T.exp(y)], clone=False)
    gof.MergeOptimizer().optimize(graph)
    assert len(graph.toposort()) == 3


def test_what_is_merged_later_is_merged():
    """Nodes become equal only because their inputs were merged, a thousand levels deep."""
    x = T.dscalar("x")
    a = b = x
    for _ in range(1000):
        a, b = T.exp(a) + 1, T.exp(b) + 1
    graph = gof.FunctionGraph([x], [a, b], clone=False)
    gof.MergeOptimizer().optimize(graph)
    assert graph.outputs[0] is graph.outputs[1]


def test_groups(x):
    steps = [gof.OpSub(twice, twice_fast), gof.OpRemove(twice_fast)]
    first = gof.LocalOptGroup(*steps)
    every = gof.LocalOptGroup(*steps, apply_all_opts=True)
    node = twice(x).owner
    assert first.transform(node)[0].owner.op == twice_fast
    assert every.transform(node) == [x]
    assert first.tracks() == [twice, twice_fast]
    db = gof.LocalGroupDB("both", apply_all_opts=True)
    db.register("one", steps[0], "t", position=1)
    db.register("two", steps[1], "t", position=2)
    assert db.query("+t").transform(node) == [x]
    assert db.query("+t", "-two").transform(node)[0].owner.op == twice_fast


def test_databases_in_databases(x):
    local = gof.EquilibriumDB()
    local.register("quick", gof.OpSub(twice, twice_fast), "fast_run")
    local.register("gone", gof.OpRemove(twice_fast), "late", final_opt=False)
    whole = gof.SequenceDB()
    whole.register("second", gof.ProxyDB(local), 2, "fast_run")
    whole.register("topo", gof.TopoDB(local, order="out_to_in"), 1, "topo")
    graph = gof.FunctionGraph([x], [twice(x)], clone=False)
    whole.query("+fast_run").optimize(graph)
    assert str(graph) == "[TwiceFast(x)]"
    query = gof.Query(include=["fast_run"], subquery={"second": gof.Query(["fast_run", "late"])})
    whole.query(query).optimize(graph)
    assert graph.outputs == [x]
    assert "quick" in local
    assert len(whole.query("+fast_run", "+topo")) == 2
    assert len(whole.query("+fast_run", "+topo", position_cutoff=1.5)) == 1
    local.unregister("quick")
    local.unregister("gone")


def test_what_replaces_a_variable_says_where_that_was_written(x):
    made = twice(x)
    graph = gof.FunctionGraph([x], [made], clone=False)
    place = made.tag.trace
    gof.in2out(gof.OpSub(twice, twice_fast)).optimize(graph)
    assert graph.outputs[0].tag.trace is place
    assert gof.opt.check_stack_trace(graph)
    other = opt.copy_stack_trace(made, T.exp(x))
    assert other.tag.trace is place
    with opt.inherit_stack_trace(made):
        assert T.log(x).tag.trace is place
    assert T.log(x).tag.trace is not place


def test_rewrites_by_functions_of_the_graph(x):
    @gof.optimizer
    def remove_all(fgraph):
        for node in fgraph.toposort():
            if node.op == twice:
                fgraph.replace_validate(node.outputs[0], node.inputs[0], reason="remove_all")

    @gof.inplace_optimizer
    def check(fgraph):
        assert fgraph.has_destroyers([x]) is False

    graph = gof.FunctionGraph([x], [twice(twice(x)) + 1], clone=False)
    remove_all.optimize(graph)
    check.optimize(graph)
    assert len(graph.toposort()) == 2  # the constant is padded


def test_answers_may_be_dictionaries(x):
    @gof.local_optimizer([T.add])
    def inner(node):
        return {v: T.neg(x) for v in node.inputs if v.owner and v.owner.op == twice}

    graph = gof.FunctionGraph([x], [twice(x) + T.exp(x)], clone=False)
    gof.in2out(inner).optimize(graph)
    assert "neg" in str(graph)

    @gof.local_optimizer([T.add])
    def must_go(node):
        kept = next(v for v in node.inputs if v.owner.op == T.neg)
        return {kept: T.log(x), "remove": [kept]}

    gof.in2out(must_go, ignore_newtrees=True).optimize(graph)
    assert "log" in str(graph)


def test_the_fastest_of_several(x):
    class Best(gof.LocalMetaOptimizer):
        def __init__(self):
            super().__init__()
            self._tracks = [Twice]
            self.register(gof.OpSub(twice, twice_fast))

        def provide_inputs(self, node, inputs):
            return {v: np.ones(3) for v in inputs}

    graph = gof.FunctionGraph([x], [twice(x)], clone=False)
    gof.in2out(Best(), ignore_newtrees=True).optimize(graph)
    assert str(graph) == "[TwiceFast(x)]"


def test_before_any_function_is_made(x):
    out = opt.pre_greedy_local_optimizer([gof.OpSub(twice, twice_fast)], twice(x) + 1)
    assert "TwiceFast" in str(gof.FunctionGraph([x], [out], clone=False))


def test_names_of_theanos_rewrites_say_what_to_do():
    with pytest.raises(AttributeError, match=r"mode.excluding\('local_mul_canonizer'\)"):
        _ = opt.local_mul_canonizer
    with pytest.raises(ValueError, match="tracks nothing"):
        gof.local_optimizer([])
    with pytest.raises(ValueError, match="ops and their classes"):
        gof.local_optimizer(["exp"])


# shapes


def test_shapes_of_all_arrays():
    x, y = T.dmatrices("x", "y")
    total = T.dot(x, y).sum(axis=0)
    graph = gof.FunctionGraph([x, y], [total, T.exp(x)], clone=False)
    feature = opt.ShapeFeature()
    graph.attach_feature(feature)
    assert graph.shape_feature is feature
    graph.attach_feature(opt.ShapeFeature())  # is not attached twice
    assert graph.shape_feature is feature
    f = theano.function([x, y], list(feature.shape_of[total]), on_unused_input="ignore")
    assert f(np.ones((2, 3)), np.ones((3, 5)))[0] == 5
    assert feature.same_shape(x, graph.outputs[1])
    assert not feature.same_shape(x, y)
    assert feature.same_shape(total, y, 0, 1)
    new = T.log(x)
    graph.replace(graph.outputs[1], new)
    assert feature.get_shape(new, 1) is feature.get_shape(x, 1)
    with pytest.raises(KeyError, match="known already"):
        feature.set_shape(x, (2, 3))
    with pytest.raises(ValueError, match="2 dimensions, not 1"):
        feature.set_shape(x, (2,), override=True)
    feature.set_shape(x, (2, 3), override=True)
    assert int(feature.get_shape(x, 1).eval()) == 3
    graph.remove_feature(feature)
    assert not hasattr(graph, "shape_feature")
