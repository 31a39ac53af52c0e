"""``einsum``: sums of products by named axes, made of pairwise contractions.

A label is an int: the code of its letter, or the number of the list form; axes under an ellipsis
are -1 (the last), -2 and so on, so that sorted labels come in NumPy's order of an implicit output.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from theano.core.errors import ShapeError
from theano.graph.registry import apply, register
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.contract import contract, same_extents
from theano.ops.diagonal import ExtractDiag
from theano.ops.dimshuffle import dimshuffle
from theano.ops.extents import size_of

Labels = tuple[int, ...]
Term = tuple[Any, Labels]  # an array and the labels of its axes
Step = tuple[int, ...]  # positions of terms that are multiplied; the result goes to the end

#: What an extent counts as, in choosing an order, while nothing is known of it.
UNKNOWN_SIZE: Final = 64

# reading subscripts -------------------------------------------------------------------------------


def _read_term(text: str, subscripts: str) -> list[Any]:
    """The labels of one operand, with Ellipsis for ``...``."""
    parts = text.split("...")
    if len(parts) > 2 or "." in "".join(parts):
        raise ValueError(f"einsum: an ellipsis is three dots, once per operand, got {subscripts!r}")
    for letter in "".join(parts):
        if not (letter.isascii() and letter.isalpha()):
            raise ValueError(f"einsum: {letter!r} in {subscripts!r} is not a letter")
    labels: list[Any] = [ord(letter) for letter in parts[0]]
    return labels if len(parts) == 1 else [*labels, Ellipsis, *map(ord, parts[1])]


def _read_string(subscripts: str) -> tuple[list[list[Any]], list[Any] | None]:
    """``"ij,jk->ik"`` as lists of labels; no output where there is no arrow."""
    compact = subscripts.replace(" ", "")
    left, arrow, right = compact.partition("->")
    if "-" in left + right or ">" in left + right:
        raise ValueError(f"einsum: subscripts have one '->' at most, got {subscripts!r}")
    if "," in right:
        raise ValueError(f"einsum: there is one output, got {subscripts!r}")
    terms = [_read_term(term, subscripts) for term in left.split(",")]
    return terms, _read_term(right, subscripts) if arrow else None


def _read_lists(given: Sequence[Any]) -> tuple[list[Any], list[list[Any]], list[Any] | None]:
    """``(x, [0, 1], y, [1, 2], [0, 2])`` as operands, terms and output."""
    pairs = len(given) // 2
    terms = [_read_list(given[2 * i + 1]) for i in range(pairs)]
    output = _read_list(given[-1]) if len(given) % 2 else None
    return [given[2 * i] for i in range(pairs)], terms, output


def _read_list(labels: Any) -> list[Any]:
    if isinstance(labels, str) or not hasattr(labels, "__iter__"):
        raise ValueError(f"einsum: a list of labels comes after each operand, got {labels!r}")
    result: list[Any] = []
    for label in labels:
        if label is Ellipsis:
            result.append(label)
            continue
        number = label.__index__()
        if number < 0:
            raise ValueError(f"einsum: labels are not negative, got {label}")
        result.append(number)
    return result


def _name(label: int) -> str:
    letter = chr(label) if label > 0 else ""
    return letter if letter.isascii() and letter.isalpha() else str(label)


def _expanded(labels: Sequence[Any], ndim: int, number: int) -> Labels:
    """The labels of an operand of this rank, those of the ellipsis counted from its end."""
    dots = sum(label is Ellipsis for label in labels)
    covered = ndim - (len(labels) - dots)
    if dots > 1 or covered < 0 or (covered and not dots):
        raise ValueError(
            f"einsum: operand {number} has {ndim} dimensions, its subscripts name "
            f"{len(labels) - dots}{' besides the ellipsis' if dots else ''}"
        )
    result: list[int] = []
    for label in labels:
        result += range(-covered, 0) if label is Ellipsis else [label]
    return tuple(result)


def _output(labels: Sequence[Any] | None, terms: Sequence[Labels]) -> Labels:
    """The labels of the result; without a list those that occur once, after the ellipsis."""
    counts = Counter(itertools.chain.from_iterable(terms))
    dots = sorted(label for label in counts if label < 0)
    if labels is None:
        return (*dots, *sorted(label for label, n in counts.items() if n == 1 and label >= 0))
    if dots and Ellipsis not in labels:
        raise ValueError("einsum: the output needs an ellipsis, since operands have one")
    result: list[int] = []
    for label in labels:
        result += dots if label is Ellipsis else [label]
    for label, n in Counter(result).items():
        if label not in counts or n > 1:
            why = "is not among the operands'" if label not in counts else "occurs twice"
            raise ValueError(f"einsum: output subscript {_name(label)!r} {why}")
    return tuple(result)


# the order of contractions ------------------------------------------------------------------------


def _sizes(terms: Sequence[Term]) -> dict[int, int]:
    """An extent per label, a guess where none is known; ShapeError where known ones differ."""
    found: dict[int, tuple[int, Any]] = {}
    for x, labels in terms:
        for axis, label in enumerate(labels):
            size = x.type.shape[axis]
            if size is None or (size == 1 and label in found):
                continue
            known, other = found.get(label, (1, x))
            if known not in (1, size):
                raise ShapeError(
                    f"einsum: {_name(label)!r} has size {known} in {other} of shape "
                    f"{other.type.shape}, {size} in {x} of shape {x.type.shape}"
                )
            found[label] = (size, x)
    everything = {label for _, labels in terms for label in labels}
    guessed = {
        label for x, labels in terms for axis, label in enumerate(labels)
        if x.type.shape[axis] is None and found.get(label, (1, x))[0] == 1
    }  # fmt: skip
    return {label: UNKNOWN_SIZE if label in guessed else found[label][0] for label in everything}


def _volume(labels: Iterable[int], sizes: dict[int, int]) -> int:
    return functools.reduce(lambda total, label: total * sizes[label], labels, 1)


def greedy_path(terms: Sequence[Labels], output: Labels, sizes: dict[int, int]) -> list[Step]:
    """Repeatedly the pair whose product saves most memory over its factors; then fewest
    multiplications. Pairs without a common label come last.

    >>> greedy_path([(1, 2), (2, 3), (3,)], (1,), {1: 50, 2: 60, 3: 70})
    [(1, 2), (0, 1)]
    """
    rest = [frozenset(term) for term in terms]
    path: list[Step] = []
    while len(rest) > 1:
        counts = Counter(itertools.chain(output, *rest))
        best: tuple[Any, Step] | None = None
        for i, j in itertools.combinations(range(len(rest)), 2):
            both = rest[i] | rest[j]
            kept = [x for x in both if counts[x] > (x in rest[i]) + (x in rest[j])]
            saved = _volume(kept, sizes) - _volume(rest[i], sizes) - _volume(rest[j], sizes)
            rank = (rest[i].isdisjoint(rest[j]), saved, _volume(both, sizes))
            if best is None or rank < best[0]:
                best = (rank, (i, j))
        assert best is not None
        step = best[1]
        kept_labels = _kept([rest[p] for p in step], rest, step, output)
        rest = [labels for p, labels in enumerate(rest) if p not in step]
        rest.append(kept_labels)
        path.append(step)
    return path


def _kept(
    chosen: Sequence[Iterable[int]], terms: Sequence[Iterable[int]], step: Step, output: Labels
) -> frozenset[int]:
    """The labels of ``chosen`` that the output or another term needs."""
    others = {x for p, labels in enumerate(terms) if p not in step for x in labels}
    others.update(output)
    return frozenset(x for labels in chosen for x in labels if x in others)


def _opt_einsum_path(
    terms: Sequence[Labels], output: Labels, sizes: dict[int, int], optimize: Any
) -> list[Step] | None:
    """The order that opt_einsum chooses; None where it is not installed."""
    try:
        library = importlib.import_module("opt_einsum")
    except ImportError:
        return None
    symbols = {label: library.get_symbol(i) for i, label in enumerate(sorted(sizes))}
    names = ["".join(symbols[label] for label in term) for term in (*terms, output)]
    shapes = [tuple(sizes[label] for label in term) for term in terms]
    equation = f"{','.join(names[:-1])}->{names[-1]}"
    path, _ = library.contract_path(equation, *shapes, shapes=True, optimize=optimize)
    return [tuple(step) for step in path]


def _path(
    terms: Sequence[Labels], output: Labels, sizes: dict[int, int], optimize: Any
) -> list[Step]:
    if optimize is False or len(terms) < 3:
        return [tuple(range(len(terms)))]
    if isinstance(optimize, (list, tuple)):
        steps = [step for step in optimize if step != "einsum_path"]
        if not any(isinstance(step, str) for step in steps):
            return [tuple(map(int, step)) for step in steps]
        optimize = steps[0]
    optimize = "auto" if optimize is True else optimize
    if not isinstance(optimize, str):
        raise TypeError(f"einsum: optimize is a bool, a name or a path, not {optimize!r}")
    found = _opt_einsum_path(terms, output, sizes, optimize)
    return greedy_path(terms, output, sizes) if found is None else found


# contractions -------------------------------------------------------------------------------------


def _diagonals(x: Any, labels: Labels) -> Term:
    """Axes of one label become one: its diagonal."""
    while len(set(labels)) < len(labels):
        label = next(label for label, n in Counter(labels).items() if n > 1)
        first, second = [axis for axis, own in enumerate(labels) if own == label][:2]
        x = same_extents(x, [(second, size_of(x, first))], f"einsum: {_name(label)!r}")
        x = ExtractDiag(0, first, second)(x)
        rest = [own for axis, own in enumerate(labels) if axis not in (first, second)]
        labels = (*rest, label)
    return x, labels


def _summed(term: Term, keep: Iterable[int]) -> Term:
    """The term without the labels that nobody else needs."""
    x, labels = term
    wanted = set(keep)
    axes = [axis for axis, label in enumerate(labels) if label not in wanted]
    if not axes:
        return term
    if x.type.dtype == "bool":
        x = apply("any", x, axis=axes)
    else:
        x = apply("sum", x, axis=axes, dtype=x.type.dtype)
    return x, tuple(label for label in labels if label in wanted)


def _without_ones(term: Term, other: Term) -> Term:
    """The term without axes of size 1 that stretch along an axis of the other term."""
    x, labels = term
    long = {label for axis, label in enumerate(other[1]) if not other[0].type.broadcastable[axis]}
    kept = [
        axis for axis, label in enumerate(labels)
        if not (x.type.broadcastable[axis] and label in long)
    ]  # fmt: skip
    if len(kept) == len(labels):
        return term
    return dimshuffle(x, *kept), tuple(labels[axis] for axis in kept)


def _pair(first: Term, second: Term, keep: frozenset[int]) -> Term:
    """The product of two terms, summed over the labels that are not in ``keep``."""
    first, second = _without_ones(first, second), _without_ones(second, first)
    first = _summed(first, keep | set(second[1]))
    second = _summed(second, keep | set(first[1]))
    (a, left), (b, right) = first, second
    both = [label for label in left if label in right]
    batch = [label for label in both if label in keep]
    pairs = {label: (left.index(label), right.index(label)) for label in both}
    gone = [pairs[label] for label in both if label not in keep]
    result = contract(a, b, [pairs[label] for label in batch], gone, "einsum")
    alone = [label for label in (*left, *right) if label not in pairs]
    return result, (*batch, *alone)


def _run(terms: list[Term], output: Labels, path: Sequence[Step]) -> Term:
    for step in path:
        if len(set(step)) != len(step) or not all(0 <= p < len(terms) for p in step):
            raise ValueError(f"einsum: {step} is no step for {len(terms)} operands")
        labels = [term[1] for term in terms]
        chosen = [terms[p] for p in sorted(step)]
        final = _kept([term[1] for term in chosen], labels, step, output)
        made = chosen[0]
        for number, term in enumerate(chosen[1:], 1):
            later = {label for _, own in chosen[number + 1 :] for label in own}
            made = _pair(made, term, final | later)
        terms = [term for p, term in enumerate(terms) if p not in step]
        terms.append(_summed(made, final))
    if len(terms) > 1:
        return _run(terms, output, [tuple(range(len(terms)))])
    return terms[0]


def einsum(subscripts: Any, *operands: Any, optimize: Any = "auto", dtype: Any = None) -> Any:
    """Sums of products of axes by name, as ``numpy.einsum``.

    Parameters
    ----------
    subscripts : ``"ij,jk->ik"``: letters name the axes of each operand and of the result, a letter
        that the result does not have is summed over, one that an operand has twice takes its
        diagonal; ``...`` stands for further axes, which stretch. Without ``->`` the result has the
        axes of the ellipsis and then the letters that occur once, in alphabetical order. Or, in the
        list form, operands and lists of ints in turn: ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.
    operands : arrays; their dtypes promote.
    optimize : in which order more than two operands are multiplied: True or the name of one of
        opt_einsum's strategies (a greedy one of our own, where opt_einsum is not installed), False
        for left to right, or a path as ``numpy.einsum_path`` gives it. Where no extents are known,
        all count as equal.
    dtype : dtype in which to compute; default that of the promoted operands.

    Raises ValueError for subscripts that do not fit, and where extents of one name differ (while
    the graph is built where they are known; an extent of 1 stretches where its type says so).

    >>> import theano.tensor as T
    >>> x = T.constant([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ij,kj->ik", x, x).eval().tolist()
    [[5.0, 11.0], [11.0, 25.0]]
    """
    if isinstance(subscripts, str):
        terms, output = _read_string(subscripts)
        given = list(operands)
    else:
        given, terms, output = _read_lists([subscripts, *operands])
    if len(terms) != len(given):
        raise ValueError(f"einsum: subscripts for {len(terms)} operands, {len(given)} were given")
    arrays = [as_tensor_variable(x) for x in given]
    if dtype is not None:
        arrays = [cast(x, dtype) for x in arrays]
    pairs = enumerate(zip(terms, arrays, strict=True))
    labels = [_expanded(term, x.type.ndim, i) for i, (term, x) in pairs]
    wanted = _output(output, labels)
    sizes = _sizes(list(zip(arrays, labels, strict=True)))
    plain = [_diagonals(x, own) for x, own in zip(arrays, labels, strict=True)]
    path = _path([own for _, own in plain], wanted, sizes, optimize)
    result, order = _run(plain, wanted, path)
    if order != wanted:
        result = dimshuffle(result, *(order.index(label) for label in wanted))
    return result


register("einsum", einsum)
