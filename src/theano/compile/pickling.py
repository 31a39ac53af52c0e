"""Pickles of functions: the graphs and values; code is made again on loading."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from theano.compile.flatgraph import FlatGraph
from theano.core.config import config
from theano.graph.fgraph import FunctionGraph


def dump(function: Any) -> tuple[Any, tuple[Any, ...]]:
    """What ``Function.__reduce__`` returns."""
    maker = function.maker
    cells = {id(x): cell for x, cell in zip(maker.states, maker.cells, strict=False)}
    updated = dict(maker.updates)
    variables = [cells.get(id(x), x.variable) for x in maker.inputs]
    updates = [updated[v] for v in variables if v in updated]
    flat = FlatGraph([*variables, *updates, *maker.results, *maker.fgraph.outputs])
    inputs = []
    for x, variable, container in zip(maker.inputs, variables, function.input_storage, strict=True):
        plain = copy.copy(x)
        plain.variable, plain.update = None, variable in updated
        plain.value = container if id(x) in cells else x.value
        inputs.append(plain)
    state = {
        "graph": flat,
        "inputs": inputs,
        "borrow": [out.borrow for out in maker.outputs],
        "single": maker.unpack_single,
        "keys": maker.output_keys,
        "mode": maker.mode,
        "name": maker.name,
        "trust_input": function.trust_input,
    }
    return load, (state,)


def load(state: dict[str, Any]) -> Any:
    """A Function from what ``dump`` kept; None where ``config.unpickle_function`` is False."""
    if not config.unpickle_function:
        return None
    from theano.compile.io import SymbolicOutput
    from theano.compile.maker import FunctionMaker

    found = iter(state["graph"].build())
    inputs = [copy.copy(x) for x in state["inputs"]]
    for x in inputs:
        x.variable = next(found)
    for x in inputs:
        x.update = next(found) if x.update else None
    outputs: Any = [SymbolicOutput(next(found), borrow) for borrow in state["borrow"]]
    rewritten = list(found)
    graph = None
    if not config.reoptimize_unpickled_function:
        variables = [x.variable for x in inputs]
        graph = FunctionGraph(variables, rewritten, clone=False)
    maker = FunctionMaker(
        inputs,
        outputs[0] if state["single"] else outputs,
        mode=state["mode"],
        on_unused_input="ignore",
        fgraph=graph,
        output_keys=state["keys"],
        name=state["name"],
    )
    function = maker.create()
    function.trust_input = state["trust_input"]
    return function


def function_dump(
    filename: str,
    inputs: Any,
    outputs: Any = None,
    mode: Any = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: Any = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: Any = None,
    on_unused_input: str | None = None,
    extra_tag_to_remove: Any = None,
) -> None:
    """Pickle the arguments of a call of ``theano.function`` to a file, to reproduce a problem.

    ``theano.function(**pickle.load(open(filename, "rb")))`` compiles the same function.
    ``extra_tag_to_remove``: attributes of ``tag`` (a name or a list) that are left out, with the
    traces and test values.
    """
    arguments = {
        "inputs": inputs, "outputs": outputs, "mode": mode, "updates": updates, "givens": givens,
        "no_default_updates": no_default_updates, "accept_inplace": accept_inplace, "name": name,
        "rebuild_strict": rebuild_strict, "allow_input_downcast": allow_input_downcast,
        "profile": profile, "on_unused_input": on_unused_input,
    }  # fmt: skip
    with open(filename, "wb") as file:
        if extra_tag_to_remove is None:
            pickle.dump(arguments, file, protocol=pickle.HIGHEST_PROTOCOL)
        else:
            from theano.compile.zip_pickle import StripPickler

            strip = StripPickler(file, pickle.HIGHEST_PROTOCOL, extra_tag_to_remove)
            strip.dump(arguments)
