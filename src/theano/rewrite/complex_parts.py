"""Complex numbers: real arithmetic where that is possible, else few Python steps.

Kernels have no complex numbers. Where the real or imaginary part is asked of an expression all of
whose leaves are known in parts, it is computed from these, and no complex array is made. What
remains is joined: elementwise ops that follow each other run in one Python step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from theano.core.dtypes import COMPLEX
from theano.graph.nodes import Apply, Variable
from theano.ops.complex_chain import ComplexChain, Link
from theano.ops.elemwise import Elemwise
from theano.rewrite.build import as_dtype, constant_value, owner_of, same_pattern, spread, t
from theano.rewrite.engine import Uses, key_of
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None
Parts = tuple[Any, Any]

#: how many nodes an expression may have to be taken apart
_LIMIT: Final = 12


def _product(a: Parts, b: Parts) -> Parts:
    (ar, ai), (br, bi) = a, b
    return ar * br - ai * bi, ar * bi + ai * br


def _sum(a: Parts, b: Parts) -> Parts:
    return a[0] + b[0], a[1] + b[1]


#: how the parts of a result come from those of the factors
_RULES: Final[dict[str, Callable[..., Parts]]] = {
    "conj": lambda a: (a[0], -a[1]),
    "neg": lambda a: (-a[0], -a[1]),
    "sub": lambda a, b: (a[0] - b[0], a[1] - b[1]),
    "sqr": lambda a: _product(a, a),
    "exp": lambda a: (t.exp(a[0]) * t.cos(a[1]), t.exp(a[0]) * t.sin(a[1])),
}
_FOLDS: Final[dict[str, Callable[[Parts, Parts], Parts]]] = {"add": _sum, "mul": _product}


def _leaf(variable: Variable, dtype: str) -> Parts | None:
    """The parts of what is not computed from complex numbers; None if they are not known."""
    node = variable.owner
    if variable.type.dtype not in COMPLEX:
        return as_dtype(variable, dtype), t.constant(0, dtype=dtype)
    value = constant_value(variable)
    if value is not None:
        ones = (None,) * 0 if variable.type.ndim == 0 else ("x",) * variable.type.ndim
        parts = [t.constant(part, dtype=dtype) for part in (value.real, value.imag)]
        re, im = (t.dimshuffle(p, *ones) if ones else p for p in parts)
        return (re, im) if all(variable.type.broadcastable) else None
    if node is not None and key_of(node.op) == "complex":
        re, im = node.inputs
        return as_dtype(re, dtype), as_dtype(im, dtype)
    if node is not None and key_of(node.op).startswith("Cast{complex"):
        return _leaf(node.inputs[0], dtype)
    return None


def parts_of(variable: Variable) -> Parts | None:
    """The real and imaginary part as expressions of real arrays; None if they are not known."""
    dtype = "float32" if variable.type.dtype == "complex64" else "float64"
    order: list[Variable] = []
    found: dict[Variable, Parts] = {}
    stack = [variable]
    while stack:
        current = stack.pop()
        order.append(current)
        leaf = _leaf(current, dtype)
        if leaf is not None:
            found[current] = leaf
            continue
        node = current.owner
        if node is None or len(order) > _LIMIT or key_of(node.op) not in {**_RULES, **_FOLDS}:
            return None
        stack.extend(node.inputs)
    for current in reversed(order):
        if current not in found:
            found[current] = _combined(current.owner, found)
    return found[variable]


def _combined(node: Apply | None, found: dict[Variable, Parts]) -> Parts:
    assert node is not None
    name, factors = key_of(node.op), [found[v] for v in node.inputs]
    if name in _RULES:
        return _RULES[name](*factors)
    total = factors[0]
    for factor in factors[1:]:
        total = _FOLDS[name](total, factor)
    return total


@rule("canonicalize", ("real", "imag"), name="local_part_of_complex")
def part_of_complex(node: Apply) -> Result:
    """The real or imaginary part of what is made of known parts -> real arithmetic."""
    (z,) = node.inputs
    if z.type.dtype not in COMPLEX:
        return None
    parts = parts_of(z)
    if parts is None:
        return _through_conj(node)
    made = spread(parts[key_of(node.op) == "imag"], node.outputs[0])
    return [made] if same_pattern(made, node.outputs[0]) else None


def _through_conj(node: Apply) -> Result:
    inner = owner_of(node.inputs[0], "conj")
    if inner is None:
        return None
    part = node.op(inner.inputs[0])
    return [part if key_of(node.op) == "real" else -part]


@rule("canonicalize", ("sqr",), name="local_abs_sqr_of_complex")
def abs_sqr_of_complex(node: Apply) -> Result:
    """|z|² of what is made of known parts -> the sum of their squares."""
    inner = owner_of(node.inputs[0], "abs_")
    if inner is None or inner.inputs[0].type.dtype not in COMPLEX:
        return None
    parts = parts_of(inner.inputs[0])
    if parts is None:
        return None
    made = spread(t.sqr(parts[0]) + t.sqr(parts[1]), node.outputs[0])
    return [made] if same_pattern(made, node.outputs[0]) else None


# one Python step for several ops ------------------------------------------------------------------

_CHAINED: Final = (
    "add", "sub", "mul", "neg", "true_div", "inv", "sqr", "sqrt", "pow", "exp", "expm1", "log",
    "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "conj", "real", "imag", "abs_", "angle",
    "complex", "complex_from_polar", "Cast{complex64}", "Cast{complex128}",
)  # fmt: skip
_LONGEST: Final = 40


def _chained(node: Apply | None) -> bool:
    """Whether a node is elementwise on complex numbers."""
    if node is None or not isinstance(node.op, (Elemwise, ComplexChain)):
        return False
    variables = (*node.inputs, *node.outputs)
    return any(v.type.dtype in COMPLEX for v in variables)


def _links(node: Apply) -> tuple[Link, ...]:
    if isinstance(node.op, ComplexChain):
        return node.op.links
    args = tuple(range(len(node.inputs)))
    dtypes = tuple(v.type.dtype for v in node.inputs)
    return (Link(node.op.row, args, dtypes, node.outputs[0].type.dtype),)


@rule("blas", _CHAINED, name="local_complex_chain")
def complex_chain(node: Apply, uses: Uses) -> Result:
    """Elementwise ops on complex numbers, and those that only they read -> one Python step."""
    if not _chained(node):
        return None
    own = _links(node)[0]
    inputs: list[Variable] = []
    sources: list[tuple[Link, ...]] = []  # the chains that are taken in
    places: list[Any] = []  # per argument of the node: ("input", i) or ("chain", i)
    starts: list[list[int]] = []
    total = 1
    for v in node.inputs:
        inner = v.owner if uses(v) <= 1 else None
        if inner is not None and _chained(inner) and total + len(_links(inner)) <= _LONGEST:
            total += len(_links(inner))
            places.append(("chain", len(sources)))
            sources.append(_links(inner))
            starts.append([_position(inputs, x) for x in inner.inputs])
        else:
            places.append(("input", _position(inputs, v)))
    links: list[Link] = []
    ends = []
    for chain, start in zip(sources, starts, strict=True):
        turn = dict(enumerate(start))
        for number, link in enumerate(chain):
            args = tuple(turn[a] for a in link.args)
            turn[len(start) + number] = len(inputs) + len(links)
            links.append(Link(link.row, args, link.dtypes, link.dtype))
        ends.append(len(inputs) + len(links) - 1)
    last = tuple(i if kind == "input" else ends[i] for kind, i in places)
    links.append(Link(own.row, last, own.dtypes, own.dtype))
    made = ComplexChain(links)(*inputs)
    return [made] if made.type == node.outputs[0].type else None


def _position(inputs: list[Variable], variable: Variable) -> int:
    if variable not in inputs:
        inputs.append(variable)
    return inputs.index(variable)
