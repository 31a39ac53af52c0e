"""Is a Program well formed? Names assigned once and before use, ranks and dtypes that fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from theano.lower import memory
from theano.lower import program as pg


class InvalidProgram(ValueError):
    """A program breaks its own rules: an error of the compiler, not of its user."""


_OBJECT = -1  # the rank of what is no array

# What is known of a name: the rank of an array, None for a register, _OBJECT.
Known = dict[str, int | None]


def verify(program: pg.Program) -> pg.Program:
    """The program itself; InvalidProgram that names the step otherwise."""
    known: Known = {p.name: _rank(p.dtype, p.ndim) for p in program.params}
    for param in program.params:
        if param.dtype == pg.OBJECT and (param.ndim or param.static):
            raise InvalidProgram(f"{param} is an object: it has no extents")
    _verify_steps(program, program.steps, known)
    for result in program.results:
        if known.get(result.array) is None:
            raise InvalidProgram(f"{result} is not an array that the program has")
        if result.inplace and known[result.array] == _OBJECT:
            raise InvalidProgram(f"{result}: an object has no storage to reuse")
    return program


def _verify_steps(program: pg.Program, steps: Iterable[pg.Step], known: Known) -> None:
    """Check steps in order; what they define enters ``known``."""
    for number, step in enumerate(steps):
        for problem in _problems(program, step, known):
            raise InvalidProgram(f"step {number} of {program.name}: {problem}: {step}")
        for name in memory.defined(step):
            if name in known:
                raise InvalidProgram(f"step {number}: {name} is assigned twice: {step}")
        for problem in _problems_inside(program, step, known):
            raise InvalidProgram(f"step {number}: {problem}")
        known.update(_definitions(step))


def _problems_inside(program: pg.Program, step: pg.Step, known: Known) -> Iterator[str]:
    """Check the steps inside of a step; what is wrong with what they leave behind."""
    if isinstance(step, pg.Loop):
        inside = {**known, step.index: None, **{o[0]: _OBJECT for o in step.objects}}
        _verify_steps(program, step.body, inside)
        for _, initial, following, _ in step.objects:
            if known.get(initial) != _OBJECT or inside.get(following) != _OBJECT:
                yield f"{initial} and {following} are not both objects"
        if step.stop and (step.stop not in inside or inside[step.stop] is not None):
            yield f"{step.stop} is not a register of its body"
    if isinstance(step, pg.Branch):
        for place, body in ((3, step.first), (4, step.second)):
            inside = dict(known)
            _verify_steps(program, body, inside)
            for out in step.outs:
                if inside.get(str(out[place])) != out[2]:
                    yield f"{out[place]} has not rank {out[2]}"


def _rank(dtype: str, ndim: int) -> int:
    return _OBJECT if dtype == pg.OBJECT else ndim


def _definitions(step: pg.Step) -> Known:
    if isinstance(step, pg.Loop):
        return {step.out: None, **{o[3]: _OBJECT for o in step.objects}}
    if isinstance(step, (pg.PyCall, pg.Branch)):
        return {out[0]: _rank(out[1], out[2]) for out in step.outs}
    if isinstance(step, (pg.Alloc, pg.Reshape)):
        return {step.out: len(step.dims)}
    if isinstance(step, pg.View):
        return {step.out: len(step.axes)}
    return dict.fromkeys(memory.defined(step))


def _problems(program: pg.Program, step: pg.Step, known: Known) -> Iterator[str]:
    yield from _name_problems(step, known)
    place = getattr(step, "place", "")
    if place.startswith("slot:") and int(place[5:]) >= program.slots:
        yield f"there are {program.slots} slots"
    if isinstance(step, pg.PyCall):
        if step.index >= len(program.callables):
            yield f"there are {len(program.callables)} callables"
        if any(ndim and dtype == pg.OBJECT for _, dtype, ndim in step.outs):
            yield "an object has no dimensions"
    if isinstance(step, pg.Launch):
        yield from _launch_problems(step, known)


def _name_problems(step: pg.Step, known: Known) -> Iterator[str]:
    arrays, registers = memory.reads(step)
    for name in arrays:
        if known.get(name) is None:
            yield f"{name} is not an array defined before"
        elif known[name] == _OBJECT and not isinstance(step, (pg.PyCall, pg.Loop, pg.Branch)):
            yield f"{name} is an object: only a Python step can take it"
    for name in registers:
        if name not in known or known[name] is not None:
            yield f"{name} is not a register defined before"
    if getattr(step, "dtype", "") == pg.OBJECT:
        yield "only a Python step makes objects"


def _launch_problems(step: pg.Launch, known: Known) -> Iterator[str]:
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
