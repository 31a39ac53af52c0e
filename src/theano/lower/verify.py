"""Is a Program well formed? Names assigned once and before use, ranks and dtypes that fit."""

from __future__ import annotations

from collections.abc import Iterator

from theano.lower import memory
from theano.lower import program as pg


class InvalidProgram(ValueError):
    """A program breaks its own rules: an error of the compiler, not of its user."""


def verify(program: pg.Program) -> pg.Program:
    """The program itself; InvalidProgram that names the step otherwise."""
    known: dict[str, int | None] = {p.name: p.ndim for p in program.params}
    for number, step in enumerate(program.steps):
        for problem in _problems(program, step, known):
            raise InvalidProgram(f"step {number} of {program.name}: {problem}: {step}")
        for name in memory.defined(step):
            if name in known:
                raise InvalidProgram(f"step {number}: {name} is assigned twice: {step}")
        known.update(_definitions(step))
    for result in program.results:
        if known.get(result.array) is None:
            raise InvalidProgram(f"{result} is not an array that the program has")
    return program


def _definitions(step: pg.Step) -> dict[str, int | None]:
    if isinstance(step, pg.PyCall):
        return {name: ndim for name, _, ndim in step.outs}
    if isinstance(step, (pg.Alloc, pg.Reshape)):
        return {step.out: len(step.dims)}
    if isinstance(step, pg.View):
        return {step.out: len(step.axes)}
    return dict.fromkeys(memory.defined(step))


def _problems(program: pg.Program, step: pg.Step, known: dict[str, int | None]) -> Iterator[str]:
    arrays, registers = memory.reads(step)
    for name in arrays:
        if known.get(name) is None:
            yield f"{name} is not an array defined before"
    for name in registers:
        if name not in known or known[name] is not None:
            yield f"{name} is not a register defined before"
    place = getattr(step, "place", "")
    if place.startswith("slot:") and int(place[5:]) >= program.slots:
        yield f"there are {program.slots} slots"
    if isinstance(step, pg.PyCall) and step.index >= len(program.callables):
        yield f"there are {len(program.callables)} callables"
    if isinstance(step, pg.Launch):
        yield from _launch_problems(step, known)


def _launch_problems(step: pg.Launch, known: dict[str, int | None]) -> Iterator[str]:
    kernel = step.kernel
    if len(step.extents) != len(kernel.axes):
        yield f"{len(kernel.axes)} extents expected"
    if len(step.scalars) != len(kernel.scalars):
        yield f"{len(kernel.scalars)} scalars expected"
    if len(step.operands) != len(kernel.operands):
        yield f"{len(kernel.operands)} operands expected"
        return
    for operand, binding in zip(kernel.operands, step.operands, strict=True):
        rank = known.get(binding.array)
        if rank is None:
            continue
        used = [a for a in (*binding.axes, *binding.gather) if a is not None]
        if len(used) != len(set(used)) or any(not 0 <= a < rank for a in used):
            yield f"operand {operand.name}: axes {used} of an array of rank {rank}"
        if len(binding.gather) != operand.gather or len(binding.axes) != len(kernel.axes):
            yield f"operand {operand.name}: wrong number of axes"
        moves = tuple(n for n, a in zip(kernel.axes, binding.axes, strict=True) if a is not None)
        if set(moves) != set(operand.axes):
            yield f"operand {operand.name} moves along {operand.axes}, bound along {moves}"
