"""What goes with loops: ``until``, and functions on graphs under their old address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from theano.compile.pfunc import clone
from theano.graph import traverse
from theano.graph.nodes import Variable
from theano.graph.registry import apply
from theano.ops.basic import as_tensor_variable
from theano.ops.creation import AllocEmpty
from theano.ops.index import getitem
from theano.ops.index_set import set_subtensor
from theano.updates import OrderedUpdates

__all__ = [
    "clone", "equal_computations", "expand_empty", "get_updates_and_outputs", "infer_shape",
    "map_variables", "until",
]  # fmt: skip


class until:
    """``return values, until(condition)``: the loop ends after the step where the condition holds.

    Parameters: a 0-d boolean ``condition``. The step's own values are kept.

    >>> import theano, theano.tensor as T
    >>> values, _ = theano.scan(
    ...     lambda x: (x * 2, theano.scan_module.until(x * 2 > 5)), outputs_info=T.constant(1.0),
    ...     n_steps=100)
    >>> values.eval().tolist()
    [2.0, 4.0, 8.0]
    """

    def __init__(self, condition: Any) -> None:
        self.condition: Any = as_tensor_variable(condition)
        if self.condition.type.ndim != 0:
            raise TypeError(f"until: the condition must be a scalar, got {self.condition.type}")


def equal_computations(
    xs: Sequence[Variable],
    ys: Sequence[Variable],
    in_xs: Sequence[Variable] | None = None,
    in_ys: Sequence[Variable] | None = None,
) -> bool:
    """Whether two lists of expressions are the same computations, ``in_xs`` standing for ``in_ys``.

    >>> import theano.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> equal_computations([x + 1], [y + 1], [x], [y])
    True
    """
    if len(xs) != len(ys):
        raise ValueError(f"The number of graphs differs: {len(xs)} and {len(ys)}")
    places = dict(zip(in_xs or (), in_ys or (), strict=True))
    if any(x.type != y.type for x, y in [*places.items(), *zip(xs, ys, strict=True)]):
        return False
    return traverse.equal_graphs(xs, ys, places)


def map_variables(
    replacer: Callable[[Variable], Variable],
    graphs: Sequence[Variable],
    additional_inputs: Sequence[Variable] | None = None,
) -> list[Variable]:
    """``graphs`` with every variable ``v`` replaced by ``replacer(v)``, inputs first.

    The replacer is called with variables whose own inputs are replaced already.
    """
    del additional_inputs
    memo: dict[Variable, Variable] = {}

    def found(variable: Variable) -> Variable:
        if variable not in memo:
            memo[variable] = replacer(variable)
        return memo[variable]

    for node in traverse.toposort(graphs):
        new = [found(v) for v in node.inputs]
        same = all(a is b for a, b in zip(new, node.inputs, strict=True))
        outputs = node.outputs if same else node.clone_with_new_inputs(new).outputs
        for old, made in zip(node.outputs, outputs, strict=True):
            memo[old] = replacer(made)
    return [found(v) for v in graphs]


def get_updates_and_outputs(given: Any) -> tuple[Any, list[Variable], OrderedUpdates]:
    """What a step function returned, as (condition, outputs, updates).

    It may return outputs (one or a list or tuple), updates (a dict or a list of pairs), an
    ``until``, or several of these in a tuple. Raises ValueError for anything else.
    """
    if isinstance(given, until):
        return given.condition, [], OrderedUpdates()
    if _are_updates(given):
        return None, [], _updates(given)
    if not isinstance(given, (list, tuple)):
        return None, _outputs([given]), OrderedUpdates()
    items = list(given)
    condition = None
    if items and isinstance(items[-1], until):
        condition = items.pop().condition
    if any(isinstance(item, until) for item in items):
        raise ValueError("scan: `until` must be the last thing that the step function returns.")
    items, updates = _apart(items)
    return condition, _outputs(items), _updates(updates)


def _apart(items: list[Any]) -> tuple[list[Any], Any]:
    """Outputs and updates."""
    if len(items) == 2 and _are_updates(items[1]):
        return _listed(items[0]), items[1]
    if len(items) == 2 and _are_updates(items[0]):
        return _listed(items[1]), items[0]
    if len(items) == 1 and _are_updates(items[0]):
        return [], items[0]
    if len(items) == 1 and isinstance(items[0], (list, tuple)):
        return list(items[0]), {}
    return items, {}


def _listed(x: Any) -> list[Any]:
    if x is None:
        return []
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _are_updates(x: Any) -> bool:
    from theano.graph.shared import SharedVariable

    if isinstance(x, Mapping):
        return True
    return isinstance(x, (list, tuple)) and bool(x) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], SharedVariable)
        for pair in x
    )  # fmt: skip


def _updates(x: Any) -> OrderedUpdates:
    return OrderedUpdates(x if isinstance(x, Mapping) else list(x))


def _outputs(items: Sequence[Any]) -> list[Variable]:
    found = []
    for item in items:
        if item is None:
            raise ValueError("scan: the step function returned None as a result.")
        try:
            found.append(item if isinstance(item, Variable) else as_tensor_variable(item))
        except TypeError as error:
            raise ValueError(
                "scan: the step function must return expressions, updates (a dictionary or a list "
                f"of pairs) or `until(condition)`, or a tuple of these; got {item!r}."
            ) from error
    return found


def infer_shape(
    outs: Sequence[Variable], inputs: Sequence[Variable], input_shapes: Sequence[Any]
) -> list[Any]:
    """The extents of ``outs``, given those of ``inputs``: a list of tuples; None for no arrays.

    >>> import theano.tensor as T
    >>> x = T.dmatrix("x")
    >>> n, m = T.lscalars("n", "m")
    >>> [[str(v) for v in shape] for shape in infer_shape([T.exp(x).T], [x], [(n, m)])]
    [['m', 'n']]
    """
    from theano.graph.fgraph import FunctionGraph
    from theano.rewrite.shape_feature import ShapeFeature

    feature = ShapeFeature()
    for variable, shape in zip(inputs, input_shapes, strict=True):
        feature.set_shape(variable, shape)
    graph = FunctionGraph([], [], clone=False)
    for node in traverse.toposort(outs, inputs):
        feature.on_import(graph, node, "infer_shape")
    return [feature.known(v) for v in outs]


def expand_empty(tensor_var: Variable, size: Any) -> Variable:
    """``tensor_var`` with ``size`` more rows, whose values are arbitrary.

    >>> import theano.tensor as T
    >>> expand_empty(T.constant([1.0, 2.0]), 3).eval().shape
    (5,)
    """
    if size == 0:
        return tensor_var
    rows = [apply("shape_i", tensor_var, i) for i in range(tensor_var.type.ndim)]
    made = AllocEmpty(tensor_var.type.dtype)(rows[0] + size, *rows[1:])
    filled: Variable = set_subtensor(getitem(made, slice(None, rows[0])), tensor_var)
    return filled


def __getattr__(name: str) -> Any:
    advice = ""
    if name == "scan_args":
        advice = (
            ": it described the arguments of Theano's loops. Here `node.op.form` of a loop's node "
            "says which input is what (theano.ops.scan.Form)"
        )
    raise AttributeError(
        f"module 'theano.scan_module.scan_utils' has no attribute {name!r}{advice}"
    )
