"""Linkers by themselves, as old code has: ``PerformLinker().accept(graph).make_function()``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from theano.compile.mode import Linker, Mode, predefined_linkers
from theano.core.record import dataclass


class Accepted:
    """A linker and the graph that it runs."""

    def __init__(self, linker: Linker, fgraph: Any) -> None:
        self.linker = linker
        self.fgraph = fgraph

    def make_function(self, unpack_single: bool = True, **_: Any) -> Callable[..., Any]:
        """A callable of the values of the graph's inputs; one output is given as it is."""
        from theano.compile.function import function

        outputs = self.fgraph.outputs
        made: Any = function(
            self.fgraph.inputs,
            outputs[0] if unpack_single and len(outputs) == 1 else list(outputs),
            mode=Mode(self.linker, None),
            on_unused_input="ignore",
        )
        return made  # type: ignore[no-any-return]

    def make_thunk(self, **_: Any) -> tuple[Callable[[], None], list[Any], list[Any]]:
        """(thunk, cells of the inputs, cells of the outputs): the thunk fills the latter."""
        run = self.make_function(unpack_single=False)
        inputs: list[Any] = [[None] for _ in self.fgraph.inputs]
        outputs: list[Any] = [[None] for _ in self.fgraph.outputs]

        def thunk() -> None:
            for cell, value in zip(outputs, run(*(c[0] for c in inputs)), strict=True):
                cell[0] = value

        return thunk, inputs, outputs


@dataclass(frozen=True, slots=True)
class WrapLinker(Linker):
    """Runs node by node, each through ``wrapper(index, node, thunk)``, which calls the thunk.

    Values are in ``thunk.inputs[k][0]`` and, after the call, in ``thunk.outputs[k][0]``.
    """

    wrapper: Callable[..., object] | None = None


def wrap_linker(linkers: Sequence[Any], wrapper: Callable[..., object]) -> WrapLinker:
    """A linker that runs each node through ``wrapper``; ``linkers`` have one meaning here."""
    del linkers
    return WrapLinker("wrapped", False, True, False, wrapper)


def wrap_linker_many(
    linkers: Sequence[Any], wrappers: Sequence[Callable[..., object]]
) -> WrapLinker:
    """A linker that hands each node to all of ``wrappers``, in order."""

    def wrapper(index: int, node: Any, thunk: Any) -> None:
        for one in wrappers:
            one(index, node, thunk)

    return wrap_linker(linkers, wrapper)


def named(name: str) -> Callable[..., Linker]:
    """A constructor of the linker of that name; it takes ``allow_gc`` and ignores the rest."""

    def make(*_: Any, allow_gc: bool | None = None, **__: Any) -> Linker:
        linker: Linker = predefined_linkers[name].clone(allow_gc)
        return linker

    make.__name__ = name
    return make
