"""Modes: how a function is rewritten (``optimizer``) and executed (``linker``).

Everything that old scripts name is a row of a table here. A linker decides three things: whether
code is compiled, and whether intermediate results are freed during a call; an optimizer is a set
of tags that rewrites carry.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from theano.core.config import config
from theano.core.record import dataclass


@dataclass(frozen=True, slots=True)
class Linker:
    """``native``: compile; otherwise run op by op in NumPy. ``program``: lower, run by NumPy."""

    name: str
    native: bool = True
    gc: bool = True
    program: bool = False

    def clone(self, allow_gc: bool | None = None, **_: Any) -> Linker:
        """The same with another ``allow_gc``."""
        return self if allow_gc is None else replace(self, gc=allow_gc)

    def accept(self, fgraph: Any, no_recycling: Any = None, profile: Any = None) -> Any:
        """A graph, ready for ``make_function()``, as linkers of old are used by themselves."""
        from theano.compile.linkers import Accepted

        return Accepted(self, fgraph)


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Which rewrites run: those of the level ``name``, with what tags add, forbid and demand."""

    name: str
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    require: frozenset[str] = frozenset()

    def including(self, *tags: str) -> Optimizer:
        """With rewrites of these tags too."""
        return replace(self, include=self.include | set(tags), exclude=self.exclude - set(tags))

    def excluding(self, *tags: str) -> Optimizer:
        """Without rewrites of these tags."""
        return replace(self, exclude=self.exclude | set(tags), include=self.include - set(tags))

    def requiring(self, *tags: str) -> Optimizer:
        """Only those that carry all these tags."""
        return replace(self, require=self.require | set(tags))


def _linkers() -> dict[str | None, Any]:
    table: dict[str | None, Any] = {
        name: Linker(name) for name in ("cvm", "c|py", "c", "vm", "jit", "llvm")
    }
    for name in ("cvm_nogc", "c|py_nogc", "vm_nogc"):
        table[name] = Linker(name, gc=False)
    table["py"] = Linker("py", native=False)
    table["numpy"] = Linker("numpy", native=False, program=True)
    table[None] = table["None"] = table["cvm"]
    return table


def _optimizers() -> dict[str | None, Any]:
    table: dict[str | None, Any] = {
        name: Optimizer(name)
        for name in (
            "merge", "fast_compile", "fast_run", "fast_run_stable", "stabilize", "unsafe",
            "o0", "o1", "o2", "o3", "o4", "None",
        )
    }  # fmt: skip
    table[None] = table["None"]
    return table


predefined_linkers: dict[str | None, Any] = _linkers()
predefined_optimizers: dict[str | None, Any] = _optimizers()


def register_linker(name: str, linker: Any) -> None:
    """Let ``Mode(linker=name)`` mean ``linker``; ValueError if the name is taken."""
    _enter(predefined_linkers, name, linker, "linker")


def register_optimizer(name: str, optimizer: Any) -> None:
    """Let ``Mode(optimizer=name)`` mean ``optimizer``; ValueError if the name is taken."""
    _enter(predefined_optimizers, name, optimizer, "optimizer")


def register_mode(name: str, mode: Mode) -> None:
    """Let ``function(mode=name)`` mean ``mode``; ValueError if the name is taken."""
    _enter(predefined_modes, name, mode, "mode")


def _enter(table: dict[Any, Any], name: str, value: Any, what: str) -> None:
    if name in table:
        raise ValueError(f"{what} name already taken: {name}")
    table[name] = value


def _find(table: dict[Any, Any], name: Any, what: str) -> Any:
    try:
        return table[name]
    except (KeyError, TypeError):
        known = ", ".join(sorted(str(key) for key in table))
        raise ValueError(f"Unknown {what} {name!r}; there are: {known}.") from None


class Mode:
    """A pair of linker and optimizer.

    Parameters
    ----------
    linker : a name of ``predefined_linkers``; by default ``config.linker``.
    optimizer : a name of ``predefined_optimizers``; by default ``config.optimizer``.

    >>> Mode("py", None).excluding("fusion").linker.native
    False
    """

    extra: tuple[Any, ...] = ()

    def __init__(self, linker: Any = None, optimizer: Any = "default") -> None:
        linker = config.linker if linker is None else linker
        optimizer = (
            config.optimizer if isinstance(optimizer, str) and optimizer == "default" else optimizer
        )
        self.provided_linker = linker
        self.provided_optimizer = optimizer
        named = isinstance(linker, str)
        self.linker: Any = _find(predefined_linkers, linker, "linker") if named else linker
        if optimizer is None or isinstance(optimizer, str):
            optimizer = _find(predefined_optimizers, optimizer, "optimizer")
        if hasattr(optimizer, "extra_optimizations"):
            self.extra = tuple(sorted(optimizer.extra_optimizations, key=lambda pair: pair[1]))
            optimizer = _of_query(optimizer)
        self.optimizer: Any = _with_flags(optimizer)
        self.call_time = 0.0
        self.fn_time = 0.0

    def _changed(self, optimizer: Any) -> Mode:
        other = self.__class__.__new__(self.__class__)
        other.__dict__.update(self.__dict__)
        other.optimizer = optimizer
        return other

    def including(self, *tags: str) -> Mode:
        """A mode that also runs rewrites with these tags."""
        return self._changed(self.optimizer.including(*tags))

    def excluding(self, *tags: str) -> Mode:
        """A mode that leaves out rewrites with these tags or names."""
        return self._changed(self.optimizer.excluding(*tags))

    def requiring(self, *tags: str) -> Mode:
        """A mode that runs only rewrites with all these tags."""
        return self._changed(self.optimizer.requiring(*tags))

    def register(self, *rewrites: Any) -> Mode:
        """A mode that also runs these ``(rewrite, position)`` pairs, in order of position."""
        other = self._changed(self.optimizer)
        extra = sorted((*self.extra, *rewrites), key=lambda pair: pair[1])
        other.extra = tuple(extra)
        return other

    def clone(
        self, link_kwargs: dict[str, Any] | None = None, optimizer: Any = "", **_: Any
    ) -> Mode:
        """A copy with another ``allow_gc`` (in ``link_kwargs``) or optimizer."""
        other = self._changed(self.optimizer)
        if optimizer != "":
            other = Mode(self.linker, optimizer)
        other.linker = self.linker.clone(**(link_kwargs or {}))
        return other

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}(linker = {self.provided_linker}, "
            f"optimizer = {self.provided_optimizer})"
        )

    __repr__ = __str__

    # what modes that watch a run override ------------------------------------------------------

    direct = True  # a call may enter native code without passing through Python

    def watchers(self, maker: Any) -> tuple[Any, Any]:
        """Callbacks ``(index, node, thunk)`` before and after each node, or None."""
        return getattr(self.linker, "wrapper", None), None

    def after_make(self, function: Any) -> None:
        """Called with each function that was made."""


def _of_query(query: Any) -> Optimizer:
    """What a Query of rewrites asks for: a level of ours, and tags."""
    from theano.rewrite.databases import level_of

    level = level_of(query.include)
    own = frozenset(query.include) - {level}
    return Optimizer(str(level), own, frozenset(query.exclude), frozenset(query.require))


def _with_flags(optimizer: Any) -> Any:
    """``optimizer`` with what optimizer_including, _excluding and _requiring say."""
    for flag, method in (
        ("optimizer_including", "including"),
        ("optimizer_excluding", "excluding"),
        ("optimizer_requiring", "requiring"),
    ):
        tags = [tag for tag in config.get(flag).split(":") if tag]
        if tags:
            optimizer = getattr(optimizer, method)(*tags)
    return optimizer


FAST_RUN = Mode("cvm", "fast_run")
FAST_COMPILE = Mode("py", "fast_compile")

predefined_modes: dict[Any, Any] = {"FAST_RUN": FAST_RUN, "FAST_COMPILE": FAST_COMPILE}

_default: dict[Any, Mode] = {}


def get_mode(name: Any) -> Any:
    """The mode that ``name`` means: a Mode, a name, or None for the default.

    Raises ValueError for an unknown name.
    """
    if isinstance(name, Mode):
        return name
    wanted = config.mode if name is None else name
    if isinstance(wanted, Mode):
        return wanted
    if wanted == "Mode":
        return _default_mode(wanted)
    loader = _LOADED.get(wanted) if isinstance(wanted, str) else None
    if loader is not None and wanted not in predefined_modes:
        import importlib

        module, attribute = loader
        predefined_modes[wanted] = getattr(importlib.import_module(module), attribute)()
    known = dict.fromkeys(("Mode", *_LOADED)) | predefined_modes
    return _find(known, wanted, "mode")


def _default_mode(wanted: str) -> Mode:
    """One instance per combination of flags, so that equal settings give the same object."""
    key = (wanted, config.linker, config.optimizer)
    mode = _default.get(key)
    if mode is None:
        mode = _default[key] = Mode(config.linker, config.optimizer)
    return mode


def get_default_mode() -> Any:
    """The mode of functions that name none (``config.mode``)."""
    return get_mode(None)


_LOADED: Final = {
    "ProfileMode": ("theano.compile.profilemode", "ProfileMode"),
    "PROFILE_MODE": ("theano.compile.profilemode", "ProfileMode"),
    "DebugMode": ("theano.compile.debugmode", "DebugMode"),
    "DEBUG_MODE": ("theano.compile.debugmode", "DebugMode"),
    "NanGuardMode": ("theano.compile.nanguardmode", "NanGuardMode"),
    "MonitorMode": ("theano.compile.monitormode", "MonitorMode"),
}


def __getattr__(name: str) -> Any:
    if name == "optdb":  # loaded when asked for: most programs register nothing
        from theano.rewrite.databases import optdb

        return optdb
    raise AttributeError(f"module 'theano.compile.mode' has no attribute {name!r}")
