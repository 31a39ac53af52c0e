"""The engine: merging, notes, budgets, cycles, depth; the pipeline's levels and tags."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from builders import t, var

from theano.core.config import change_flags
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Apply, Op
from theano.graph.registry import apply
from theano.graph.text import expression
from theano.graph.traverse import ancestors, toposort
from theano.rewrite import engine, pipeline
from theano.rewrite.engine import Report, Rule


def sweep(inputs: Any, outputs: Any, *rules: Rule) -> Any:
    return engine.sweep(inputs, outputs, rules, Report())[0]


def test_equal_computations_become_one() -> None:
    x = var("x")
    a, b = sweep([x], [t.exp(x) + 1, t.exp(x) + 1])
    assert a is b
    assert len(toposort([a])) == 2


def test_equal_constants_become_one() -> None:
    x = var("x", 1)
    (out,) = sweep([x], [x * np.arange(12.0) + np.arange(12.0)])
    constants = {id(v) for v in ancestors([out]) if hasattr(v, "data")}
    assert len(constants) == 1


def test_the_given_graph_is_not_changed() -> None:
    x = var("x", 1)
    hidden = t.log(1 + t.exp(x))
    hidden.name = "hidden"
    y = (hidden + 0) * 1
    y.name = "y"
    before = expression(y), [(v.name, dict(v.tag.__dict__)) for v in ancestors([y])]
    (new,) = pipeline.optimize([x], [y])
    assert (expression(y), [(v.name, dict(v.tag.__dict__)) for v in ancestors([y])]) == before
    assert new is not y


def test_names_and_places_survive() -> None:
    x = var("x", 1)
    y = t.log(1 + t.exp(x))
    y.name = "y"
    (new,) = pipeline.optimize([x], [y])
    assert "softplus" in str(new.owner.op)
    assert new.name == "y"
    assert new.tag.trace == y.tag.trace
    inner = t.exp(x) * 1
    (whole,) = pipeline.optimize([x], [t.sin(inner)])
    assert whole.owner.inputs[0].tag.trace.places()[-1].filename == __file__


def test_unchanged_parts_are_shared_with_the_given_graph() -> None:
    x = var("x", 1)
    y = t.tanh(x)
    assert pipeline.optimize([x], [y])[0] is y


def test_inputs_are_barriers() -> None:
    x = var("x")
    middle = t.exp(x)
    (out,) = pipeline.optimize([middle], [t.log(middle)])
    assert expression(out, [middle]) == f"Elemwise{{log,no_inplace}}({middle})"


def _swap(first: str, second: str) -> Rule:
    return Rule(f"{first}_to_{second}", "test", (first,),
                lambda node, uses: [apply(second, node.inputs[0])])  # fmt: skip


def test_rules_that_undo_each_other_end() -> None:
    x = var("x")
    (out,) = sweep([x], [t.sin(x)], _swap("sin", "cos"), _swap("cos", "sin"))
    assert str(out.owner.op) in (str(t.sin(x).owner.op), str(t.cos(x).owner.op))


def test_a_rule_whose_result_needs_what_it_replaces_is_ignored() -> None:
    x = var("x")
    wrap = Rule("wrap", "test", ("sin",), lambda node, uses: [t.neg(node.outputs[0])])
    (out,) = sweep([x], [t.sin(x)], wrap)
    assert reference_function([x], [out])(0.5)[0] == pytest.approx(np.sin(0.5))


def test_rules_that_grow_without_end_are_stopped_with_a_warning() -> None:
    x = var("x")
    grow = Rule("grow", "test", ("exp",), lambda node, uses: [t.exp(t.neg(node.inputs[0]))])
    with pytest.warns(UserWarning, match="stopped early.*grow"):
        sweep([x], [t.exp(x)], grow)


def test_replacements_of_another_kind_are_refused() -> None:
    x = var("x", 1)
    for wrong in (lambda n, u: [t.sum(n.inputs[0])], lambda n, u: [t.cast(n.inputs[0], "float32")]):
        (out,) = sweep([x], [t.exp(x)], Rule("wrong", "test", ("exp",), wrong))
        assert "exp" in str(out.owner.op)


def test_deep_graphs() -> None:
    x = var("x", 1)
    y = x
    for _ in range(20_000):
        y = t.tanh(y) + x
    (out,) = pipeline.optimize([x], [y])
    assert len(toposort([out])) == 40_000


def test_shared_subgraphs_do_not_explode() -> None:
    x = var("x", 1)
    y = x
    for _ in range(300):
        y = y * y + y
    (out,) = pipeline.optimize([x], [y])
    assert len(toposort([out])) <= 600


def test_constants_are_folded_but_not_into_giants() -> None:
    (out,) = pipeline.optimize([], [t.exp(t.constant(1.0)) * 2])
    assert out.data == pytest.approx(2 * np.e)
    (big,) = pipeline.optimize([], [t.alloc(t.constant(1.0), 100_000, 100_000)])
    assert big.owner is not None
    (eye,) = pipeline.optimize([], [t.eye(50_000)])
    assert eye.owner is not None


def test_errors_of_constants_are_left_to_the_call() -> None:
    (out,) = pipeline.optimize([], [t.constant(np.ones(3))[t.constant(np.int64(5))]])
    assert out.owner is not None


def test_levels() -> None:
    x = var("x", 1)
    y = (x + 0) ** 2
    sizes = {level: len(toposort(pipeline.optimize([x], [y], level=level)))
             for level in (None, "merge", "fast_compile", "fast_run")}  # fmt: skip
    assert sizes["fast_run"] == 1
    assert sizes[None] >= sizes["merge"] >= sizes["fast_compile"] >= sizes["fast_run"]
    with pytest.raises(ValueError, match="Unknown optimizer"):
        pipeline.optimize([x], [y], level="o9")
    for level in pipeline.LEVELS:
        value = reference_function([x], pipeline.optimize([x], [y], level=level))([2.0, 3.0])[0]
        assert value.tolist() == [4, 9]


def test_excluding_and_including() -> None:
    x = var("x", 1)
    y = t.log(1 + t.exp(x))
    (kept,) = pipeline.optimize([x], [y], excluding=["local_log1p"])
    assert "log" in expression(kept)
    assert "log1p" not in expression(kept)
    report = Report()
    pipeline.optimize([x], [t.sigmoid(x)], including=["local_ultra_fast_sigmoid"], report=report)
    assert report.fired["local_ultra_fast_sigmoid"] == 1
    (plain,) = pipeline.optimize([x], [t.sigmoid(x)])
    assert "sigmoid" in str(plain.owner.op)
    (unfolded,) = pipeline.optimize([], [t.exp(t.constant(1.0))], excluding=["constant_folding"])
    assert unfolded.owner is not None


def test_stage_names_ask_for_passes() -> None:
    x = var("x", 1)
    (plain,) = pipeline.optimize([x], [x * x * 1], level="fast_compile")
    assert "sqr" not in expression(plain)
    (special,) = pipeline.optimize(
        [x], [x * x * 1], level="fast_compile", including=["canonicalize", "specialize"]
    )
    assert "sqr" in expression(special)
    report = Report(keep_text=True)
    everything = ["merge", "fast_run", "canonicalize", "stabilize", "specialize"]
    pipeline.optimize([x], [x * x], including=everything, report=report)
    assert "sqr" not in dict(report.texts)["canonicalize"]
    (kept,) = pipeline.optimize([x], [x * x], excluding=["specialize"])
    assert "sqr" not in expression(kept)


def test_report() -> None:
    x = var("x", 1)
    report = Report(keep_text=True)
    pipeline.optimize([x], [t.log(1 + t.exp(x))], report=report)
    assert report.fired["local_log1p"] == 1
    assert [name for name, _ in report.passes][-1] == "expand"
    assert "softplus" in dict(report.texts)["stabilize"]


def test_test_values_are_not_computed() -> None:
    x = var("x", 1)
    y = t.log(1 + t.exp(x))
    with change_flags(compute_test_value="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.optimize([x], [y])


class Odd(Op):
    """An op of a user: a property without hash, a shape rule that fails."""

    __props__ = ("sizes",)

    def __init__(self) -> None:
        self.sizes = [1, 2]

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = inputs[0] + 1

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        raise KeyError("no idea")


def test_ops_of_users_may_be_odd() -> None:
    x = var("x", 1)
    size = t.shape_i(Odd()(x * 1), 0)
    with pytest.warns(UserWarning, match="infer_shape of Odd.*no idea"):
        (out,) = pipeline.optimize([x], [size])
    assert reference_function([x], [out])([1.0, 2.0])[0] == 2
    with change_flags(on_shape_error="raise"), pytest.raises(KeyError):
        pipeline.optimize([x], [size])
