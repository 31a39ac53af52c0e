"""Lower a graph, verify the program, run it on real cells, and compare with ``perform``.

The runner here is stricter than the NumPy backend's: scratch slots really share memory, and memory
is filled with garbage whenever a slot gets a new tenant, so a wrong memory plan gives wrong values.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theano.backends.numpy import executor
from theano.compile.reference import Reference
from theano.graph import traverse
from theano.graph.shared import SharedVariable
from theano.graph.text import expression
from theano.kernel import text as kernel_text
from theano.kernel.verify import verify as verify_kernel
from theano.lower import program as pg
from theano.lower.function import lower_function
from theano.lower.text import parse, text
from theano.lower.verify import verify
from theano.rewrite import pipeline

SLOT_BYTES = 1 << 16
WAYS = tuple(itertools.product((True, False), repeat=2))  # (fuse, donate)


@dataclass
class Ran:
    """What a call gave: its outputs, or the exception; the cells afterwards."""

    outputs: Any
    cells: list[Any]
    error: Exception | None = None


def slot_array(slots: dict[str, Any], place: str, dtype: str, dims: Sequence[int]) -> Any:
    """An array at the start of the memory of a slot, filled with garbage."""
    kind = np.dtype(dtype)
    count = int(np.prod(dims, dtype="int64"))
    buffer = slots.setdefault(place, np.empty(SLOT_BYTES, dtype="uint8"))
    assert count * kind.itemsize <= SLOT_BYTES, "choose smaller test arrays"
    buffer.fill(0 if dtype == "bool" else 0xAB)
    return buffer[: count * kind.itemsize].view(kind).reshape(dims)


def run_strictly(program: pg.Program, inputs: Sequence[Any], cells: list[list[Any]]) -> list[Any]:
    """Run a program; views must stay inside their sources, slots share memory."""
    env: dict[str, Any] = {}
    slots: dict[str, Any] = {}
    for param in program.params:
        sources = {"input": inputs, "constant": program.constants}
        source = sources[param.kind] if param.kind != "shared" else [c[0] for c in cells]
        env[param.name] = executor.checked(param, source[param.index])
    for index, step in enumerate(program.steps):
        place = getattr(step, "place", "")
        if place.startswith("slot:"):
            dims = [executor.size(env, d) for d in step.dims]
            if any(d < 0 for d in dims):
                raise executor.StepFailed(index, "negative extent")
            if isinstance(step, pg.Alloc):
                env[step.out] = slot_array(slots, place, step.dtype, dims)
                continue
            source = env[step.source]
            if not source.flags.c_contiguous and source.size == np.prod(dims, dtype="int64"):
                copied = np.array(source, order="C", copy=True).reshape(dims)
                env[step.out] = slot_array(slots, place, step.dtype, dims)
                env[step.out][...] = copied
                continue
        executor.run_step(program, index, step, env)
    owned = {s.out for s in program.steps if isinstance(s, pg.Alloc) and s.place == "output"}
    return executor._finish(program, env, cells, owned)


def lowered(inputs: Any, outputs: Any, updates: Any = (), **how: Any) -> Any:
    """``lower_function`` with every check of the result."""
    made = lower_function(inputs, outputs, updates, **how)
    program = verify(made.program)
    for step in program.steps:
        if isinstance(step, pg.Launch):
            verify_kernel(step.kernel)
            assert kernel_text.parse(kernel_text.text(step.kernel)) == step.kernel
    assert parse(text(program), program.constants, program.callables) == program
    return made


def expected(
    inputs: Any, outputs: Any, updates: Any, values: Any, calls: int = 1
) -> tuple[list[Ran], Any]:
    """What the reference gives, call after call."""
    targets = [*outputs, *(u for _, u in updates)]
    shared = [s for s, _ in updates]
    roots = traverse.roots(targets, inputs)
    shared += [v for v in roots if isinstance(v, SharedVariable) and v not in shared]
    run = Reference([*inputs, *shared], [*targets, *shared[len(updates) :]])
    state = [np.array(s.get_value(borrow=True)) for s in shared]
    results = []
    for _ in range(calls):
        try:
            found = run([*map(np.array, values), *state])
        except Exception as error:
            results.append(Ran(None, state, error))
            continue
        state = [np.array(v) for v in found[len(outputs) :]]
        results.append(Ran([np.array(v) for v in found[: len(outputs)]], state))
    return results, shared


def same(found: Any, wanted: Any, rtol: float | None = None) -> None:
    """Equal dtype and shape, and nearly equal values."""
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    if rtol is None:
        rtol = 2e-4 if wanted.dtype == "float32" else 1e-9
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)


def check(
    inputs: Any, outputs: Any, values: Any, updates: Any = (), *,
    calls: int = 2, rewrite: bool = False, natives: Sequence[bool] = (True, False),
    rtol: float | None = None,
) -> list[Any]:  # fmt: skip
    """All ways to lower agree with the reference; returns the programs (first: fused, donating)."""
    outputs, updates = list(outputs), list(updates)
    wanted, _ = expected(inputs, outputs, updates, values, calls)
    if rewrite:
        found = pipeline.optimize(inputs, [*outputs, *(u for _, u in updates)])
        outputs = found[: len(outputs)]
        updates = [(s, u) for (s, _), u in zip(updates, found[len(outputs) :], strict=True)]
    programs = []
    for native in natives:
        for fuse, donate in WAYS if native else WAYS[:1]:
            made = None
            try:
                made = lowered(inputs, outputs, updates, fuse=fuse, donate=donate, native=native)
                programs.append(made.program)
                _compare(made, inputs, values, updates, wanted, rtol)
            except Exception as error:
                how = f"fuse={fuse} donate={donate} native={native}"
                graph = [expression(v) for v in (*outputs, *(u for _, u in updates))]
                error.add_note(f"{how}\n{graph}\n{'' if made is None else text(made.program)}")
                raise
    return programs


def _run(program: pg.Program, values: Any, cells: Any) -> tuple[Any, Exception | None]:
    try:
        return run_strictly(program, [np.array(v) for v in values], cells), None
    except Exception as error:
        return None, error


def _compare(made: Any, inputs: Any, values: Any, updates: Any, wanted: Any, rtol: Any) -> None:
    cells = [[np.array(s.get_value(borrow=True))] for s in made.shared]
    for ran in wanted:
        before = [np.array(cell[0]) for cell in cells]
        outputs, failure = _run(made.program, values, cells)
        if failure is not None:
            assert ran.error is not None, failure
            assert isinstance(failure, executor.StepFailed) or type(failure) is type(ran.error)
            for cell, old in zip(cells, before, strict=True):
                np.testing.assert_array_equal(cell[0], old)
            continue
        assert ran.error is None, ran.error
        for found, value in zip(outputs, ran.outputs, strict=True):
            same(found, value, rtol)
        places = {s: i for i, s in enumerate(made.shared)}
        for (shared, _), value in zip(updates, ran.cells, strict=False):
            same(cells[places[shared]][0], value, rtol)
        arrays = [*outputs, *(cell[0] for cell in cells), *values]
        for a, b in itertools.combinations(arrays, 2):
            assert not np.shares_memory(a, b), "results share memory"
