"""Registers as linear forms of others, and views as regions of the arrays that they are views of.

Facts are gathered step by step. What they say holds for every run: no value is assumed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from theano.lower import program as pg


class Form(NamedTuple):
    """A number: ``constant`` plus coefficients times int64 registers (ordered by name)."""

    constant: int
    terms: tuple[tuple[str, int], ...] = ()

    def plus(self, other: Form, factor: int = 1) -> Form:
        """``self + factor * other``."""
        terms = dict(self.terms)
        for name, coefficient in other.terms:
            terms[name] = terms.get(name, 0) + factor * coefficient
        kept = tuple(sorted((n, c) for n, c in terms.items() if c))
        return Form(self.constant + factor * other.constant, kept)

    def minus(self, other: Form) -> Form:
        """``self - other``."""
        return self.plus(other, -1)

    def apart(self, name: str) -> tuple[int, Form]:
        """The coefficient of a register, and the rest."""
        terms = dict(self.terms)
        coefficient = terms.pop(name, 0)
        return coefficient, Form(self.constant, tuple(terms.items()))


ZERO = Form(0)


class Region(NamedTuple):
    """Elements of ``root``: per axis of the root where they begin, and per axis of the view the
    axis of the root along which it moves (None: it does not) and how far."""

    root: str
    starts: tuple[Form, ...]
    moves: tuple[tuple[int | None, int], ...]


class Facts:
    """What the steps so far say about registers and arrays.

    Attributes
    ----------
    forms
        Register -> what it is; registers that are nothing simple stand for themselves.
    extents
        Array -> its extents, where an Alloc or a View says them.
    regions
        Array -> its region, for arrays of an Alloc and views of such.
    """

    def __init__(self) -> None:
        self.forms: dict[str, Form] = {}
        self.extents: dict[str, tuple[Form, ...]] = {}
        self.regions: dict[str, Region] = {}

    def form(self, value: pg.Arg) -> Form:
        """A register or a whole number."""
        if isinstance(value, str):
            return self.forms.get(value) or Form(0, ((value, 1),))
        return Form(int(value))

    def add(self, steps: Sequence[pg.Step]) -> None:
        """Take in steps; of loops and branches, what is inside is not looked at."""
        for step in steps:
            if isinstance(step, pg.Let):
                self._let(step)
            elif isinstance(step, pg.Dim) and step.array in self.extents:
                self.forms[step.out] = self.extents[step.array][step.axis]
            elif isinstance(step, pg.Alloc):
                rank = len(step.dims)
                self.extents[step.out] = tuple(map(self.form, step.dims))
                moves = tuple((axis, 1) for axis in range(rank))
                self.regions[step.out] = Region(step.out, (ZERO,) * rank, moves)
            elif isinstance(step, pg.View):
                self._view(step)

    def _let(self, step: pg.Let) -> None:
        if step.operand_dtype != "int64":
            return
        args = [self.form(value) for value in step.args]
        if step.prim in ("add", "sub"):
            self.forms[step.out] = args[0].plus(args[1], 1 if step.prim == "add" else -1)
        elif step.prim == "mul" and not (args[0].terms and args[1].terms):
            factor, form = sorted(args, key=lambda a: len(a.terms))
            self.forms[step.out] = ZERO.plus(form, factor.constant)

    def _view(self, step: pg.View) -> None:
        self.extents[step.out] = tuple(self.form(axis.length) for axis in step.axes)
        source = self.regions.get(step.source)
        if source is None:
            return
        starts = list(source.starts)
        for axis, start in step.starts:
            along, by = source.moves[axis]
            if along is not None:
                starts[along] = starts[along].plus(self.form(start), by)
        moves: list[tuple[int | None, int]] = []
        for out in step.axes:
            along, by = (None, 0) if out.source is None else source.moves[out.source]
            if along is not None and not isinstance(out.step, int):
                return
            moves.append((along, by * int(out.step) if along is not None else 0))
        self.regions[step.out] = Region(source.root, tuple(starts), tuple(moves))


class Writer:
    """Writes registers for forms and conditions; a condition that is known is a Python bool.

    ``inside`` are steps of a loop's body, of which those that are the same in every run may be
    needed before it.
    """

    def __init__(self, facts: Facts, inside: Sequence[pg.Step], prefix: str) -> None:
        self.facts, self.prefix = facts, prefix
        self.steps: list[pg.Step] = []
        self._inside = {s.out: s for s in inside if isinstance(s, pg.Let)}
        self._outside: dict[str, str] = {}  # registers of the body by their names before it
        self._written: dict[tuple[object, ...], str] = {}

    def let(self, dtype: str, prim: str, of: str, *args: pg.Arg) -> str:
        """A register with the value of a primitive of arguments of dtype ``of``."""
        key = (dtype, prim, of, *((type(a), a) for a in args))
        if key not in self._written:
            name = self._written[key] = f"{self.prefix}{len(self.steps)}"
            self.steps.append(pg.Let(name, dtype, prim, args, of))
        return self._written[key]

    def outside(self, form: Form) -> Form:
        """The same number, of registers that there are before the loop."""
        self._take_out(form)
        terms = ((self._outside.get(name, name), c) for name, c in form.terms)
        return Form(form.constant, tuple(sorted(terms)))

    def number(self, form: Form) -> pg.Arg:
        """A register, or the number itself."""
        found: pg.Arg | None = None
        for name, coefficient in sorted(self.outside(form).terms, key=lambda term: term[1] < 0):
            value: pg.Arg = name
            if coefficient != 1 and (coefficient != -1 or found is None):
                value = self.let("int64", "mul", "int64", value, coefficient)
            if found is None:
                found = value
            else:
                prim = "sub" if coefficient == -1 else "add"
                found = self.let("int64", prim, "int64", found, value)
        if found is None:
            return form.constant
        if not form.constant:
            return found
        return self.let("int64", "add", "int64", found, form.constant)

    def _take_out(self, form: Form) -> None:
        """Write before the loop what its body makes of the registers of a form."""
        wanted = {name for name, _ in form.terms} & self._inside.keys() - self._outside.keys()
        if not wanted:
            return
        needed: list[pg.Let] = []
        for step in reversed(self._inside.values()):
            if step.out in wanted and step.out not in self._outside:
                needed.append(step)
                wanted.update(n for value in step.args for n, _ in self.facts.form(value).terms)
        for step in reversed(needed):
            args = [self.number(self.facts.form(a)) if type(a) in (str, int) else a
                    for a in step.args]  # fmt: skip
            self._outside[step.out] = self.let(step.dtype, step.prim, step.operand_dtype, *args)

    def at_most(self, a: Form, b: Form) -> bool | str:
        """Whether ``a <= b``."""
        rest = b.minus(a)
        return self._compared("le", rest) if rest.terms else rest.constant >= 0

    def same(self, a: Form, b: Form) -> bool | str:
        """Whether ``a == b``."""
        rest = b.minus(a)
        return self._compared("eq", rest) if rest.terms else rest.constant == 0

    def _compared(self, prim: str, rest: Form) -> str:
        """How 0 compares with a form: what it takes away, with what it adds."""
        less = Form(max(0, -rest.constant), tuple((n, -c) for n, c in rest.terms if c < 0))
        more = Form(max(0, rest.constant), tuple((n, c) for n, c in rest.terms if c > 0))
        return self.let("bool", prim, "int64", self.number(less), self.number(more))

    def all_of(self, conditions: Sequence[bool | str]) -> bool | str:
        """Whether all hold."""
        return self._joined("and", conditions, True)

    def any_of(self, conditions: Sequence[bool | str]) -> bool | str:
        """Whether one holds."""
        return self._joined("or", conditions, False)

    def _joined(self, prim: str, conditions: Sequence[bool | str], neutral: bool) -> bool | str:
        open_ = [c for c in dict.fromkeys(conditions) if isinstance(c, str)]
        if any(c is (not neutral) for c in conditions):
            return not neutral
        if not open_:
            return neutral
        found = open_[0]
        for other in open_[1:]:
            found = self.let("bool", prim, "bool", found, other)
        return found


def fixed_registers(facts: Facts, body: Sequence[pg.Step], outside: Collection[str]) -> set[str]:
    """Registers of a body that are the same in every run and can be computed before the loop."""
    found: set[str] = set()
    for step in body:
        if isinstance(step, pg.Let) and all(
            name in outside or name in found
            for value in step.args if isinstance(value, str)
            for name, _ in facts.form(value).terms
        ):  # fmt: skip
            found.add(step.out)
    return found
