"""Descriptions of graphs for people and for hashing: trees, tagged outlines, one-line formulas."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from theano.graph import traverse
from theano.graph.fgraph import FunctionGraph
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.text import Tree, inner_lines, letters


def debugprint(
    obj: Any,
    depth: int = -1,
    print_type: bool = False,
    file: Any = None,
    ids: str = "CHAR",
    stop_on_name: bool = False,
    done: dict[Any, str] | None = None,
    print_storage: bool = False,
    print_clients: bool = False,
    used_ids: dict[Any, str] | None = None,
) -> str | None:
    """Print a graph as a tree: a line for each step, its inputs below it, indented by `` |``.

    Parameters
    ----------
    obj : a variable, an Apply, a FunctionGraph, a compiled function, or a list of these. The steps
        of a function are numbered at the end of the line, in the order in which they run.
    depth : print so many levels; -1 prints all.
    print_type : show the type of each variable.
    file : where to print (standard output: None); ``"str"`` returns the text instead.
    ids : how steps are labelled: ``"CHAR"`` A, B, …, ``"int"`` 0, 1, …, ``"id"`` Python's id,
        ``""`` not at all. A step that is needed twice is expanded once; its label says where.
    stop_on_name : do not go below variables that have a name.
    done : labels of what has been printed before; it is not expanded again. Updated.
    print_storage : show the storage of a function's variables.
    print_clients : show what uses each step.
    used_ids : labels to use and to add to.

    Raises TypeError for other objects.

    >>> from theano.tensor.types import scalars
    >>> x, y = scalars("xy")
    >>> debugprint((x + y) * x)  # doctest: +NORMALIZE_WHITESPACE
    Elemwise{mul,no_inplace} [id A] ''
     |Elemwise{add,no_inplace} [id B] ''
     | |x [id C]
     | |y [id D]
     |x [id C]
    """
    done = {} if done is None else done
    used_ids = {} if used_ids is None else used_ids
    if ids not in ("CHAR", "int", "id", ""):
        raise ValueError(f"ids={ids!r}: one of 'CHAR', 'int', 'id', ''")
    out: Any = sys.stdout if file is None else io.StringIO() if file == "str" else file
    for outputs, order, storage in _graphs(obj):
        printer = Tree(
            depth=depth, print_type=print_type, ids=ids, stop_on_name=stop_on_name, done=done,
            used_ids=used_ids, order={node: i for i, node in enumerate(order)},
            storage=storage if print_storage else {},
            clients=traverse.clients(outputs) if print_clients else None,
        )  # fmt: skip
        for output in outputs:
            out.writelines(f"{line}\n" for line in printer.lines(output))
        out.writelines(f"{line}\n" for line in inner_lines(printer))
    if file == "str":
        return str(out.getvalue())
    out.flush()
    return None


Graphs = Iterator[tuple[list[Variable], list[Apply], Mapping[Variable, Any]]]


def _graphs(obj: Any) -> Graphs:
    """The graphs that an argument of `debugprint` means: outputs, order, storage."""
    if isinstance(obj, (list, tuple, set)):
        plain: list[Variable] = []
        for item in obj:
            if isinstance(item, (Variable, Apply)):
                plain += [item] if isinstance(item, Variable) else item.outputs
            else:
                yield from _graphs(item)
        yield plain, [], {}
    elif isinstance(obj, Variable):
        yield [obj], [], {}
    elif isinstance(obj, Apply):
        yield list(obj.outputs), [], {}
    else:
        graph = function_graph(obj)
        storage = getattr(getattr(obj, "fn", None), "storage_map", {})
        yield list(graph.outputs), graph.toposort(), storage


def function_graph(obj: Any) -> FunctionGraph:
    """The graph of a compiled function, or ``obj`` if it is one; TypeError else."""
    graph = obj if isinstance(obj, FunctionGraph) else None
    graph = graph or getattr(getattr(obj, "maker", None), "fgraph", None)
    if graph is None:
        raise TypeError(
            f"cannot print {type(obj).__name__}: a variable, an Apply, a FunctionGraph, a compiled "
            "function or a list of these is needed"
        )
    return graph


def min_informative_str(
    obj: Any,
    indent_level: int = 0,
    _prev_obs: dict[Any, str] | None = None,
    _tag_generator: Any = None,
) -> str:
    """An outline of how ``obj`` is computed, down to constants and named variables.

    Every line has a tag; ``<B>`` refers to the line tagged B.

    >>> from theano.tensor.types import scalars
    >>> x, y = scalars("xy")
    >>> print(min_informative_str(x + y))
    A. Elemwise{add,no_inplace}
     B. x
     C. y
    """
    tags = {} if _prev_obs is None else _prev_obs
    lines: list[str] = []
    stack = [(obj, indent_level)]
    while stack:
        item, level = stack.pop()
        if id(item) in tags:
            lines.append(f"{' ' * level}<{tags[id(item)]}>")
            continue
        tags[id(item)] = letters(len(tags))
        owner = getattr(item, "owner", None)
        named = getattr(item, "name", None) is not None
        if isinstance(item, np.ndarray):
            text = "<ndarray>"
        elif owner is not None and not named:
            text = str(owner.op)
            stack.extend((parent, level + 1) for parent in reversed(owner.inputs))
        else:
            text = str(item)
        lines.append(f"{' ' * level}{tags[id(item)]}. {text}")
    return "\n".join(lines)


def var_descriptor(
    obj: Any, _prev_obs: dict[Any, str] | None = None, _tag_generator: Any = None
) -> str:
    """One line that tells fully how ``obj`` is computed, the same in every process.

    >>> from theano.tensor.types import scalars
    >>> x, y = scalars("xy")
    >>> var_descriptor((x + y) * x)
    'A=Elemwise{mul,no_inplace}(B=Elemwise{add,no_inplace}(C=x,D=y),<C>)'
    """
    tags = {} if _prev_obs is None else _prev_obs
    parts: list[str] = []
    stack: list[Any] = [obj]
    while stack:
        item = stack.pop()
        if isinstance(item, _Text):
            parts.append(item)
            continue
        if id(item) in tags:
            parts.append(f"<{tags[id(item)]}>")
            continue
        tags[id(item)] = letters(len(tags))
        parts.append(f"{tags[id(item)]}=")
        owner = getattr(item, "owner", None)
        if owner is None:
            parts.append(_leaf_descriptor(item))
            continue
        parts.append(f"{owner.op}(")
        stack.append(_Text(")"))
        for position in range(len(owner.inputs) - 1, -1, -1):
            stack.append(owner.inputs[position])
            if position:
                stack.append(_Text(","))
    return "".join(parts)


class _Text(str):
    """A piece of output among objects that are still to be described."""

    __slots__ = ()


def _leaf_descriptor(obj: Any) -> str:
    if isinstance(obj, np.ndarray):
        return f"<ndarray({hex_digest(obj)})>"
    if isinstance(obj, Constant) and isinstance(obj.data, np.ndarray) and obj.data.size > 1:
        return f"<ndarray({hex_digest(obj.data)})>"
    text = str(obj)
    return position_independent_str(obj) if " at 0x" in text else text


def position_independent_str(obj: Any) -> str:
    """A text that does not tell where in memory ``obj`` is; NotImplementedError for what has none.

    >>> from theano.tensor.types import vector
    >>> position_independent_str(vector("x"))
    'TensorVariable(type=TensorType(float64, vector), owner=None, index=None, name=x)'
    """
    if isinstance(obj, Variable):
        return (
            f"{type(obj).__name__}(type={obj.type}, owner={obj.owner}, index={obj.index}, "
            f"name={obj.name})"
        )
    raise NotImplementedError(f"no text for {type(obj).__name__} without its address")


def hex_digest(x: Any) -> str:
    """A digest of an array: its dtype, shape, strides and bytes."""
    import hashlib  # loads OpenSSL

    layout = f"strides=[{','.join(map(str, x.strides))}]" if x.strides else ""
    digest = hashlib.md5(np.ascontiguousarray(x).tobytes(), usedforsecurity=False).hexdigest()
    return f"{digest}|dtype={x.dtype}|shape={x.shape}|{layout}"
