"""What a loop collects takes the place of a sequence that it reads last.

A step of a gradient's loop reads a row of activations and leaves a row of derivatives; a step of
its forward loop reads a row of sums and leaves a row of activations. Where the row that is left
goes to the very elements that the same kernel, at the same points, read just before, nothing new
has to be brought into the caches, and the loop needs less memory.

Which rows and columns these are is known when the program runs: the conditions are checked before
the loop, and an array of its own is the other choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from theano.kernel.ir import Kernel
from theano.lower import memory
from theano.lower import program as pg
from theano.lower.regions import ZERO, Facts, Form, Region, Writer, fixed_registers

_PLAIN = (pg.View, pg.Dim, pg.Launch, pg.Loop)


class Access(NamedTuple):
    """Where a step of a body (its number) uses an array: read or written, by which operand."""

    position: int
    region: Region
    writes: bool
    operand: int


class Rows(NamedTuple):
    """All uses of an array in a body: row ``first + by * t`` in run ``t``."""

    first: Form
    by: int
    uses: tuple[Access, ...]


class Box(NamedTuple):
    """Columns of a row: per axis where they begin and how many they are."""

    starts: tuple[Form, ...]
    lengths: tuple[Form, ...]


def over_sequences(steps: Sequence[pg.Step], results: Sequence[pg.Result]) -> list[pg.Step]:
    """``steps`` with collected arrays in the places of sequences, where that is possible."""
    if not any(isinstance(step, pg.Loop) for step in steps):
        return list(steps)
    return _Pass(steps, results).run()


class _Pass:
    """One walk over the steps of a function."""

    def __init__(self, steps: Sequence[pg.Step], results: Sequence[pg.Result]) -> None:
        self.steps = steps
        lives = memory.Lifetimes(steps, results)
        self.first, self.last = lives.first, dict(lives.last)
        self.allocs = {s.out: s for s in steps if isinstance(s, pg.Alloc) and s.place == "slot"}
        self.roots = memory.storage_roots(pg.walk(steps))
        self.facts = Facts()
        self.known = {name for step in steps for name in memory.defined(step)}
        self.on: dict[str, str] = {}  # array -> the array whose place it took
        self.given: dict[str, list[str]] = {}  # array -> what must hold for those in its place
        self._sort_out()

    def _sort_out(self) -> None:
        """Which arrays are used in plain ways, and which of them only through strides."""
        self.hidden: set[str] = set()  # by steps that may keep or change them unseen
        self.flat: set[str] = set()  # by steps that want them in C order
        for step in pg.walk(self.steps):
            for array in memory.reads(step)[0]:
                root = self.roots.get(array, array)
                if isinstance(step, (pg.Reshape, pg.Call)):
                    self.flat.add(root)
                elif not isinstance(step, _PLAIN):
                    self.hidden.add(root)

    def run(self) -> list[pg.Step]:
        """The new steps."""
        found: list[pg.Step] = []
        for position, step in enumerate(self.steps):
            if isinstance(step, pg.Loop):
                for more in self._placed(step, position):
                    found.append(more)
                    self.known.update(memory.defined(more))
            self.facts.add([step])
            found.append(step)
        return [s for s in found if not (isinstance(s, pg.Alloc) and s.out in self.on)]

    def _placed(self, loop: pg.Loop, position: int) -> Iterator[pg.Step]:
        body = _Body(self, loop)
        rows = body.rows
        sources = {n: r for n, r in rows.items() if self._ends(n, r, position)}
        targets = {n: r for n, r in rows.items() if self._begins(n, r, position, loop)}
        for source, read in sources.items():
            writer = Writer(self.facts, loop.body, f"q{len(self.known)}_")
            match = _Match(self, body, writer, source, read)
            left = {n: r for n, r in targets.items() if n not in self.on and n != source}
            chosen, condition = match.best(left)
            if chosen and condition is not False:
                places = match.places(chosen, condition)
                yield from (*writer.steps, *places)
                self._note(chosen, source, condition)

    def _ends(self, name: str, rows: Rows, position: int) -> bool:
        """Whether an array is a sequence of the loop and is not used any more after it."""
        return (
            self.last[name] == position
            and self.first[name] < position
            and not any(use.writes for use in rows.uses)
        )

    def _begins(self, name: str, rows: Rows, position: int, loop: pg.Loop) -> bool:
        """Whether an array is made by the loop: by a map, in each run once, before all else."""
        use = rows.uses[0]
        step: Any = loop.body[use.position]
        return (
            self.first[name] == position
            and use.writes
            and isinstance(step, pg.Launch)
            and memory.is_map(step.kernel)
            and all(other.writes for other in rows.uses if other.position == use.position)
        )

    def _note(self, chosen: Mapping[str, Region], source: str, condition: bool | str) -> None:
        for target, region in chosen.items():
            self.on[target] = source
            self.facts.regions[target] = region
            self.last[source] = max(self.last[source], self.last[target])
        if isinstance(condition, str):
            self.given.setdefault(source, []).append(condition)

    def place(self, array: str) -> str:
        """The array in whose place a view, or what it is a view of, is."""
        root = self.roots.get(array, array)
        while root in self.on:
            root = self.on[root]
        return root


class _Body:
    """The body of a loop: which arrays made before it are used row by row, and how."""

    def __init__(self, made: _Pass, loop: pg.Loop) -> None:
        self.made, self.loop, self.facts = made, loop, made.facts
        self.facts.add(loop.body)
        self.fixed = fixed_registers(self.facts, loop.body, made.known) | made.known
        spoiled: set[str] = set()
        uses: dict[str, list[Access]] = {}
        for position, step in enumerate(loop.body):
            for root, access in self._uses(position, step):
                if access is None:
                    spoiled.add(root)
                else:
                    uses.setdefault(root, []).append(access)
        self.rows = {
            root: found for root, of in uses.items()
            if root not in spoiled and (found := self._rows(of)) is not None
        }  # fmt: skip

    def _uses(self, position: int, step: pg.Step) -> Iterator[tuple[str, Access | None]]:
        """The arrays before the loop that a step uses, and how if that is plain."""
        if isinstance(step, (pg.View, pg.Dim)):
            return
        written = set(memory.written(step))
        arrays = memory.reads(step)[0]
        if isinstance(step, pg.Launch):
            arrays = [operand.array for operand in step.operands]
        for number, array in enumerate(arrays):
            root = self.made.place(array)
            if root not in self.made.allocs:
                continue
            region = self.facts.regions.get(array)
            plain = isinstance(step, (pg.Launch, pg.Call)) and root not in self.made.hidden
            if region is None or region.root != root or not plain:
                yield root, None
            elif isinstance(step, pg.Launch):
                writes = step.kernel.operands[number].mode != "in"
                yield root, Access(position, region, writes, number)
            else:
                yield root, Access(position, region, array in written, -1)

    def _rows(self, uses: Sequence[Access]) -> Rows | None:
        """What the uses of an array have in common, if each run has a row of its own."""
        if not uses[0].region.starts:
            return None
        found = {use.region.starts[0].apart(self.loop.index) for use in uses}
        by, first = next(iter(found))
        if len(found) > 1 or by not in (1, -1) or not self.is_fixed(first):
            return None
        for use in uses:
            starts, moves = use.region.starts[1:], use.region.moves
            along = [axis for axis, _ in moves if axis is not None]
            if 0 in along or not all(map(self.is_fixed, starts)) or along != sorted(along):
                return None
        return Rows(first, by, tuple(uses))

    def is_fixed(self, form: Form) -> bool:
        """Whether a number is the same in every run, and known before the loop."""
        return all(name in self.fixed for name, _ in form.terms)


class _Match:
    """Arrays that a loop makes, in the place of one that it reads last."""

    def __init__(self, made: _Pass, body: _Body, writer: Writer, source: str, read: Rows) -> None:
        self.made, self.body, self.writer = made, body, writer
        self.steps: Sequence[pg.Step] = body.loop.body
        self.source, self.read = source, read
        self.alloc = made.allocs[source]
        self.end = max(use.position for use in read.uses)
        self.size = made.facts.extents[source]

    def best(self, targets: Mapping[str, Rows]) -> tuple[dict[str, Region], bool | str]:
        """The region of the source that each array takes, and when they may."""
        fitting = {n: r for n, r in targets.items() if self._fits(n, r)}
        made, given = self.made, self.made.given.get(self.source, [])
        for name, rows in fitting.items():
            turned = rows.by != self.read.by
            if self.made.facts.extents[name] == self.size and not (turned and name in made.flat):
                region, inside = self._region(name, rows, (ZERO,) * (len(self.size) - 1))
                condition = self.writer.all_of([*given, inside, self._whole_apart(rows)])
                if condition is not False:
                    return {name: region}, condition
        return self._parts(fitting, given)

    def _fits(self, name: str, rows: Rows) -> bool:
        alloc = self.made.allocs[name]
        return (
            alloc.dtype == self.alloc.dtype
            and len(alloc.dims) == len(self.alloc.dims)
            and rows.uses[0].position >= self.end
        )

    def _region(self, name: str, rows: Rows, columns: Sequence[Form]) -> tuple[Region, bool | str]:
        """Where an array begins in the source, and whether that is inside of it."""
        facts, writer = self.made.facts, self.writer
        by = rows.by * self.read.by
        first = self.read.first.plus(rows.first, -by)
        rank = len(self.size)
        length, rest = facts.extents[name][0], facts.extents[name][1:]
        last = first.plus(length, by).plus(Form(-by))
        low, high = (first, last) if by == 1 else (last, first)
        inside = [
            writer.at_most(ZERO, low), writer.at_most(high.plus(Form(1)), self.size[0]),
            *(writer.at_most(ZERO, start) for start in columns),
            *(writer.at_most(start.plus(size), end)
              for start, size, end in zip(columns, rest, self.size[1:], strict=True)),
        ]  # fmt: skip
        moves = ((0, by), *((axis, 1) for axis in range(1, rank)))
        starts = tuple(map(writer.outside, (first, *columns)))
        return Region(self.source, starts, moves), writer.all_of(inside)

    def _whole_apart(self, rows: Rows) -> bool | str:
        """Whether no point writes what another point of the same kernel has yet to read."""
        at = rows.uses[0].position
        reads = [use for use in self.read.uses if use.position == at]
        writes = [use for use in rows.uses if use.position == at]
        step = self.steps[at]
        found = []
        for out, use in itertools.product(writes, reads):
            a, b = self._box(step, out), self._box(step, use)
            if a is None or b is None:
                return False
            same: bool | str = False
            if _same_points(step, out, use):
                pairs = zip(a.starts, b.starts, strict=True)
                same = self.writer.all_of([self.writer.same(x, y) for x, y in pairs])
            found.append(self.writer.any_of([same, self._apart(a, b)]))
        return self.writer.all_of(found)

    def _parts(
        self, targets: Mapping[str, Rows], given: Sequence[bool | str]
    ) -> tuple[dict[str, Region], bool | str]:
        """Arrays that one kernel writes, each over columns that it reads at the same points."""
        step: Any = self.steps[self.end]
        reads = [use for use in self.read.uses if use.position == self.end]
        if not isinstance(step, pg.Launch):
            return {}, False
        boxes = [self._box(step, use) for use in reads]
        if None in boxes:
            return {}, False
        free = list(zip(reads, boxes, strict=True))
        chosen: dict[str, Region] = {}
        taken: list[Box] = []
        conditions = list(given)
        for name, rows in targets.items():
            pair = self._partner(step, name, rows, free)
            if pair is None:
                continue
            free.remove(pair)
            _, box = pair
            assert box is not None
            own = self.made.facts.extents[name][1:]
            region, inside = self._region(name, rows, box.starts)
            equal = (self.writer.same(x, y) for x, y in zip(own, box.lengths, strict=True))
            conditions += [inside, *equal, *(self._apart(box, other) for other in taken)]
            chosen[name] = region
            taken.append(box)
        others = [box for _, box in free if box is not None]
        conditions += itertools.starmap(self._apart, itertools.product(taken, others))
        return chosen, self.writer.all_of(conditions)

    def _partner(
        self, step: pg.Launch, name: str, rows: Rows, free: Sequence[tuple[Access, Box | None]]
    ) -> tuple[Access, Box | None] | None:
        out = rows.uses[0]
        alone = sum(use.position == out.position for use in rows.uses) == 1
        if out.position != self.end or not alone or name in self.made.flat:
            return None
        box = self._box(step, out)
        if box is None or any(start != ZERO for start in box.starts):
            return None
        return next((pair for pair in free if _same_points(step, out, pair[0])), None)

    def _box(self, step: Any, use: Access) -> Box | None:
        """The columns that an operand of a kernel moves over."""
        bound: pg.Operand = step.operands[use.operand]
        facts = self.made.facts
        extents = {axis: facts.form(n) for axis, n in zip(bound.axes, step.extents, strict=True)}
        lengths = [Form(1)] * len(self.size)
        for axis, (along, by) in enumerate(use.region.moves):
            if axis not in extents or (along is not None and by != 1) or bound.gather:
                return None
            if along is not None:
                lengths[along] = extents[axis]
        if not all(map(self.body.is_fixed, lengths)):
            return None
        return Box(use.region.starts[1:], tuple(lengths[1:]))

    def _apart(self, a: Box, b: Box) -> bool | str:
        """Whether two boxes have no element in common."""
        at_most = self.writer.at_most
        found: list[bool | str] = []
        for x, m, y, n in zip(a.starts, a.lengths, b.starts, b.lengths, strict=True):
            if x != y:
                found += [at_most(x.plus(m), y), at_most(y.plus(n), x)]
        return self.writer.any_of(found)

    def places(self, chosen: Mapping[str, Region], condition: bool | str) -> list[pg.Step]:
        """The arrays: views of the source where the condition holds, else on their own."""
        views, allocs, outs = [], [], []
        for name, region in chosen.items():
            alloc = self.made.allocs[name]
            inside = f"{name}_in" if isinstance(condition, str) else name
            views.append(self._view(inside, alloc, region))
            allocs.append(pg.Alloc(f"{name}_own", alloc.dtype, alloc.dims, "slot"))
            outs.append((name, alloc.dtype, len(alloc.dims), inside, f"{name}_own"))
        if not isinstance(condition, str):
            return [*views]
        return [pg.Branch(condition, tuple(views), tuple(allocs), tuple(outs))]

    def _view(self, name: str, alloc: pg.Alloc, region: Region) -> pg.View:
        starts = tuple(
            (axis, self.writer.number(start)) for axis, start in enumerate(region.starts)
            if start != ZERO
        )  # fmt: skip
        axes = (pg.ViewAxis(along, length, by)
                for (along, by), length in zip(region.moves, alloc.dims, strict=True))  # fmt: skip
        return pg.View(name, alloc.dtype, self.source, starts, tuple(axes))


def _same_points(step: Any, out: Access, read: Access) -> bool:
    """Whether a kernel reads an operand before it writes another, along the same axes."""
    kernel: Kernel = step.kernel
    a, b = step.operands[out.operand], step.operands[read.operand]
    moves = [
        [None if i is None else use.region.moves[i][0] for i in bound.axes]
        for bound, use in ((a, out), (b, read))
    ]
    names = kernel.operands[read.operand].name, kernel.operands[out.operand].name
    return moves[0] == moves[1] and None not in moves[0] and memory.loads_first(kernel, *names)
