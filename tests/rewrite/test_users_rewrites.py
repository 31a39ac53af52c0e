"""Rewrites that users write and register, as Theano's tutorial on extending shows them."""

import logging

import numpy as np
import pytest
from user_ops import Twice, twice, twice_fast

import theano
import theano.tensor as T
from theano import gof  # noqa: TID251
from theano.compile import optdb
from theano.tensor import opt


def ops_of(f):
    return [str(node.op) for node in f.maker.fgraph.toposort()]


@pytest.fixture
def database():
    """``enter(place, name, rewrite, …)`` registers for the time of a test; "" is optdb itself."""
    entered = []

    def enter(place, name, rewrite, *args, **options):
        db = optdb[place] if place else optdb
        db.register(name, rewrite, *args, **options)
        entered.append((db, name))
        return rewrite

    yield enter
    for db, name in entered:
        db.unregister(name)


@pytest.fixture
def x():
    return T.dvector("x")


# registered with our passes


@pytest.mark.parametrize("place", ["canonicalize", "stabilize", "specialize", "useless"])
def test_a_local_rewrite_changes_compiled_functions(place, x):
    register = getattr(opt, f"register_{place}")

    @register
    @opt.local_optimizer([T.exp])
    def exp_of_twice(node):
        (inner,) = node.inputs
        if inner.owner and inner.owner.op == twice:
            return [T.sqr(T.exp(inner.owner.inputs[0]))]
        return False

    try:
        f = theano.function([x], T.exp(twice(x)))
        assert "Twice" not in ops_of(f)
        assert np.allclose(f([0.5]), np.exp(1.0))
        left_out = theano.compile.get_default_mode().excluding("exp_of_twice")
        assert "Twice" in ops_of(theano.function([x], T.exp(twice(x)), mode=left_out))
    finally:
        optdb[place].unregister("exp_of_twice")
    assert "Twice" in ops_of(theano.function([x], T.exp(twice(x))))


def test_registered_in_brackets_with_a_name_and_tags(x):
    @opt.register_specialize("mine", name="another_name")
    @gof.local_optimizer([Twice])
    def quicker(node):
        return [twice_fast(*node.inputs)] if type(node.op) is Twice else None

    try:
        assert "TwiceFast" in ops_of(theano.function([x], twice(x)))
        mode = theano.Mode("py", "fast_run").excluding("mine")
        assert "TwiceFast" not in ops_of(theano.function([x], twice(x), mode=mode))
    finally:
        optdb["specialize"].unregister("another_name")


@pytest.mark.parametrize("level", ["fast_run", "o2", "o4", "fast_compile", "o1", "merge", None])
def test_levels_run_what_has_their_tag(level, x, database):
    database("specialize", "quick", gof.OpSub(twice, twice_fast), "fast_run")
    f = theano.function([x], twice(x), mode=theano.Mode("py", level))
    assert ("TwiceFast" in ops_of(f)) == (level in ("fast_run", "o2", "o4"))


def test_tags_of_a_mode_ask_for_rewrites(x, database):
    database("", "quick", gof.in2out(gof.OpSub(twice, twice_fast)), 3, "my_tag")
    assert "Twice" in ops_of(theano.function([x], twice(x)))
    mode = theano.Mode("cvm", "fast_run").including("my_tag")
    f = theano.function([x], twice(x), mode=mode)
    assert "TwiceFast" in ops_of(f)
    assert f([3.0]).tolist() == [6.0]


REWRITES = {
    "local": lambda: gof.OpSub(twice, twice_fast),
    "pattern": lambda: gof.PatternSub((twice, "v"), (T.mul, 2, "v")),
    "OpSub": lambda: gof.TopoOptimizer(gof.OpSub(twice, twice_fast)),
    "OpRemove": lambda: gof.TopoOptimizer(gof.OpRemove(twice)),
    "PatternSub": lambda: gof.in2out(gof.PatternSub((twice, "v"), (T.mul, 2, "v"))),
    "out2in": lambda: gof.out2in(gof.OpSub(twice, twice_fast), name="quick"),
    "Equilibrium": lambda: gof.EquilibriumOptimizer(
        [gof.OpSub(twice, twice_fast), gof.OpRemove(twice_fast)], max_use_ratio=10
    ),
    "Seq": lambda: gof.SeqOptimizer(
        gof.in2out(gof.OpSub(twice, twice_fast)), gof.in2out(gof.OpRemove(twice_fast))
    ),
    "group": lambda: gof.in2out(
        gof.OpSub(T.log, T.exp), gof.OpSub(twice, twice_fast), ignore_newtrees=True
    ),
    "OpKey": lambda: gof.OpKeyOptimizer(gof.OpSub(twice, twice_fast)),
}
VALUE = {"OpRemove": 3.0, "Equilibrium": 3.0, "Seq": 3.0}


@pytest.mark.parametrize("kind", REWRITES)
@pytest.mark.parametrize("position", [0.3, 1.3, 2, 49.5])
def test_every_kind_at_every_position(kind, position, x, database):
    database("", "mine", REWRITES[kind](), position, "fast_run")
    f = theano.function([x], twice(x))
    assert "Twice" not in ops_of(f)
    assert f([3.0]).tolist() == [VALUE.get(kind, 6.0)]


def test_steps_of_loops_are_rewritten_too(database):
    m = T.dmatrix("m")
    database("specialize", "quick", gof.OpSub(twice, twice_fast), "fast_run")
    rows, _ = theano.scan(lambda row: twice(row) + 1, sequences=[m])
    f = theano.function([m], rows)
    assert np.array_equal(f(np.ones((2, 3))), np.full((2, 3), 3.0))
    text = theano.printing.debugprint(f, file="str")
    assert "TwiceFast" in text


def test_a_rewrite_that_fails_is_logged_or_raised(x, database, caplog):
    @gof.local_optimizer([twice])
    def fails(node):
        raise RuntimeError("no luck")

    database("specialize", "fails", fails, "fast_run")
    with caplog.at_level(logging.ERROR, "theano.gof.opt"):
        assert theano.function([x], twice(x))([1.0]).tolist() == [2.0]
    assert "no luck" in caplog.text
    with (
        theano.change_flags(on_opt_error="raise"),
        pytest.raises(RuntimeError, match="no luck"),
    ):
        theano.function([x], twice(x))


def test_a_rewrite_that_never_ends_is_stopped(x, database, caplog):
    @gof.local_optimizer([twice])
    def grows(node):
        return [twice(node.inputs[0] * 1.5)]

    database("specialize", "grows", grows, "fast_run")
    with caplog.at_level(logging.ERROR, "theano.gof.opt"):
        theano.function([x], twice(x), mode="FAST_RUN")
    assert "optdb.max_use_ratio" in caplog.text


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (lambda x: [T.constant(np.ones(2, "int8"))], TypeError, "Cannot convert"),
        (lambda x: x, ValueError, "a list of 1 variables"),
        (lambda x: [x, x], ValueError, "a list of 1 variables"),
        (lambda x: [T.dvector("unknown")], gof.MissingInputError, "unknown"),
    ],
)
def test_wrong_answers_are_refused_and_undone(answer, error, text, x):
    @gof.local_optimizer([twice])
    def wrong(node):
        return answer(x)

    graph = gof.FunctionGraph([x], [twice(x)], clone=False)
    with pytest.raises(error, match=text):
        gof.TopoOptimizer(wrong).optimize(graph)
    assert str(graph) == "[Twice(x)]"


def test_names_are_taken_once_and_only_rewrites_can_be_registered(database):
    database("", "mine", gof.MergeOptimizer(), 50, "fast_run")
    with pytest.raises(ValueError, match="mine"):
        optdb.register("mine", gof.MergeOptimizer(), 50, "fast_run")
    with pytest.raises(TypeError, match="cannot be registered"):
        optdb.register("other", lambda graph: None, 50, "fast_run")
    with pytest.raises(KeyError, match="Nothing registered"):
        optdb["other"]


# modes


def test_an_optimizer_object_as_the_optimizer_of_a_mode(x):
    quick = gof.SeqOptimizer([gof.in2out(gof.OpSub(twice, twice_fast))])
    f = theano.function([x], twice(x) + 0, mode=theano.Mode("cvm", quick))
    assert "TwiceFast" in ops_of(f)
    assert f([1.0]).tolist() == [2.0]


def test_a_query_as_the_optimizer_of_a_mode(x, database):
    database("", "quick", gof.in2out(gof.OpSub(twice, twice_fast)), 3, "fast_run", "quick_ones")
    query = gof.Query(include=["fast_run"])
    assert "TwiceFast" in ops_of(theano.function([x], twice(x), mode=theano.Mode("py", query)))
    other = query.excluding("quick_ones")
    assert "TwiceFast" not in ops_of(theano.function([x], twice(x), mode=theano.Mode("py", other)))
    own = theano.Mode("py", other.register((gof.in2out(gof.OpRemove(twice)), 20)))
    assert "Twice" not in ops_of(theano.function([x], twice(x) + 1, mode=own))


def test_a_local_rewrite_in_place_of_a_global_one(x):
    f = theano.function([x], twice(x), mode=theano.Mode("cvm", gof.OpSub(twice, twice_fast)))
    assert ops_of(f) == ["TwiceFast"]
    mode = theano.Mode("py", None).register((gof.OpRemove(twice), 1))
    assert theano.function([x], twice(x) + 1, mode=mode)([1.0]).tolist() == [2.0]


def test_rewrites_of_one_mode(x):
    mode = theano.Mode("cvm", "fast_run").register((gof.in2out(gof.OpRemove(twice)), 60.0))
    assert "Twice" not in ops_of(theano.function([x], twice(x) * 3, mode=mode))
    assert theano.function([x], twice(x) * 3, mode=mode)([1.0]).tolist() == [3.0]


def test_the_whole_pipeline_on_a_graph(x):
    graph = gof.FunctionGraph([x], [T.log(1 + T.exp(x)) * 1], clone=True)
    optdb.query(gof.Query(include=["fast_run"])).optimize(graph)
    assert [str(node.op) for node in graph.toposort()] == ["softplus"]
    graph = gof.FunctionGraph([x], [x * 1 + 0], clone=True)
    optdb.query("+fast_run", "-inplace").optimize(graph)
    assert graph.toposort() == []
    assert optdb.__position__["canonicalize"] < optdb.__position__["specialize"]


# the tutorial: x * y / y -> x, three times


@pytest.fixture
def fractions():
    x, y, z = T.dscalars("x", "y", "z")
    outputs = [T.add(z, T.mul(T.true_div(T.mul(y, x), y), T.true_div(z, x)))]
    return gof.FunctionGraph([x, y, z], outputs, clone=False)


SIMPLE = "Elemwise{add,no_inplace}(z, Elemwise{mul,no_inplace}(x, Elemwise{true_div,no_inplace}"


def test_a_global_rewrite(fractions):
    class Simplify(gof.Optimizer):
        def add_requirements(self, fgraph):
            fgraph.attach_feature(gof.toolbox.ReplaceValidate())

        def apply(self, fgraph):
            for node in fgraph.toposort():
                if node.op == T.true_div:
                    a, b = node.inputs
                    if a.owner and a.owner.op == T.mul:
                        c, d = a.owner.inputs
                        if b is c:
                            fgraph.replace_validate(node.outputs[0], d)
                        elif b is d:
                            fgraph.replace_validate(node.outputs[0], c)

    Simplify().optimize(fractions)
    assert str(fractions).startswith(f"[{SIMPLE}")


def test_a_local_rewrite_and_its_navigator(fractions):
    class LocalSimplify(gof.LocalOptimizer):
        def transform(self, node):
            a, b = node.inputs
            if a.owner is None or a.owner.op != T.mul:
                return False
            c, d = a.owner.inputs
            return [d] if b is c else [c] if b is d else False

        def tracks(self):
            return [T.true_div]

    gof.TopoOptimizer(LocalSimplify()).optimize(fractions)
    assert str(fractions).startswith(f"[{SIMPLE}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((T.true_div, (T.mul, "a", "b"), "a"), "b"),
        (
            (T.true_div, {"pattern": (T.mul, "a", "b"), "constraint": lambda v: v.ndim == 0}, "a"),
            "b",
        ),
    ],
)
def test_a_pattern(fractions, before, after):
    gof.TopoOptimizer(gof.PatternSub(before, after)).optimize(fractions)
    assert str(fractions).startswith(f"[{SIMPLE}")


# patterns


@pytest.mark.parametrize(
    ("before", "after", "build", "found"),
    [
        ((T.pow, "v", 2), (T.sqr, "v"), lambda x: x**2, "sqr"),
        ((T.pow, "v", 2), (T.sqr, "v"), lambda x: x**3, None),
        ((T.add, "v", "v"), (T.mul, 2, "v"), lambda x: x + x, "mul"),
        ((T.add, "v", "v"), (T.mul, 2, "v"), lambda x: x + T.exp(x), None),
        ((T.log, (T.exp, "v")), "v", lambda x: T.log(T.exp(x)), "gone"),
        ((T.mul, "v", T.constant(3.0)), (T.neg, "v"), lambda x: x * T.constant(3.0), None),
    ],
)
def test_patterns(before, after, build, found, x):
    graph = gof.FunctionGraph([x], [build(x)], clone=False)
    old = str(graph)
    gof.TopoOptimizer(gof.PatternSub(before, after)).optimize(graph)
    if found is None:
        assert str(graph) == old
    elif found == "gone":
        assert graph.outputs == [x]
    else:
        assert f"{{{found}," in str(graph)


def test_a_pattern_leaves_alone_what_others_use(x):
    inner = T.exp(x)
    for allowed in (False, True):
        graph = gof.FunctionGraph([x], [T.log(inner), inner + 1], clone=True)
        pattern = gof.PatternSub((T.log, (T.exp, "v")), "v", allow_multiple_clients=allowed)
        gof.TopoOptimizer(pattern).optimize(graph)
        assert (graph.outputs[0] is graph.inputs[0]) == allowed


def test_identities_are_looked_through(x):
    def through(variable):
        return variable.owner.inputs[0] if variable.owner and variable.owner.op == T.neg else None

    pattern = gof.PatternSub((T.log, (T.exp, "v")), "v", skip_identities_fn=through)
    graph = gof.FunctionGraph([x], [T.log(-T.exp(x))], clone=False)
    gof.TopoOptimizer(pattern).optimize(graph)
    assert graph.outputs == [x]
