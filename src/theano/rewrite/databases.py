"""Databases of rewrites as Theano had them, and ``optdb``, where users register their own.

A rewrite is registered under a name with tags; a ``Query`` says which tags are wanted, demanded and
forbidden. Our own rules are not in these tables (they are in ``pattern.RULES``): ``optdb`` holds
those of users, at positions between our passes, and the pipeline runs them there. A function is
never taken from the plan cache as soon as there is one, since a plan does not know what it does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from theano.core.config import config
from theano.graph.nodes import Variable
from theano.rewrite.global_rewriters import (
    EquilibriumOptimizer,
    NavigatorOptimizer,
    Optimizer,
    SeqOptimizer,
    TopoOptimizer,
    applied,
    of_graph,
)
from theano.rewrite.local_rewriters import LocalOptGroup, LocalOptimizer


class Query:
    """Which rewrites are wanted, by tag.

    Parameters
    ----------
    include : tags of which one is enough.
    require : tags that all must be there.
    exclude : tags that must not be there.
    subquery : other queries for databases inside, by their names.
    position_cutoff : nothing at this position or after it (config.optdb.position_cutoff).
    extra_optimizations : (rewrite, position) pairs to run as well.
    """

    def __init__(
        self, include: Iterable[str] | None, require: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None, subquery: dict[str, Query] | None = None,
        position_cutoff: float | None = None, extra_optimizations: Sequence[Any] = (),
    ) -> None:  # fmt: skip
        self.include = list(dict.fromkeys(include or ()))
        self.require = list(dict.fromkeys(require or ()))
        self.exclude = list(dict.fromkeys(exclude or ()))
        self.subquery = subquery or {}
        self.position_cutoff = (
            float(config.get("optdb.position_cutoff")) if position_cutoff is None
            else position_cutoff
        )  # fmt: skip
        self.extra_optimizations = list(extra_optimizations)
        self.name: str | None = None

    def _with(self, **changes: Any) -> Query:
        other = copy.copy(self)
        other.__dict__.update(changes)
        return other

    def including(self, *tags: str) -> Query:
        """With these tags wanted too."""
        return self._with(include=[*self.include, *tags])

    def excluding(self, *tags: str) -> Query:
        """With these tags forbidden too."""
        return self._with(exclude=[*self.exclude, *tags])

    def requiring(self, *tags: str) -> Query:
        """With these tags demanded too."""
        return self._with(require=[*self.require, *tags])

    def register(self, *optimizations: Any) -> Query:
        """With these (rewrite, position) pairs."""
        return self._with(extra_optimizations=[*self.extra_optimizations, *optimizations])

    def __str__(self) -> str:
        return f"Query{{inc={self.include},ex={self.exclude},require={self.require}}}"

    __repr__ = __str__


class DB:
    """Rewrites by name and tag. Subclasses say in ``query`` what a selection becomes."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name
        self._objects: dict[str, Any] = {}
        self._tags: dict[str, set[str]] = {}

    def register(self, name: str, obj: Any, *tags: str, use_db_name_as_tag: bool = True,
                 **options: Any) -> None:  # fmt: skip
        """Enter ``obj`` (a rewrite, or a database of them) under ``name`` with ``tags``.

        Raises ValueError where the name is taken, TypeError for what is no rewrite.
        """
        if not isinstance(obj, (DB, Optimizer, LocalOptimizer)):
            raise TypeError("Object cannot be registered in OptDB", obj)
        if name in self._objects:
            raise ValueError(f"The name of the object cannot be an existing tag or the name of "
                             f"another existing object: {name}")  # fmt: skip
        if options:
            raise TypeError(f"{type(self).__name__}.register got {sorted(options)}")
        self._objects[name] = obj
        self._tags[name] = {name, type(obj).__name__, *tags}
        if use_db_name_as_tag and self.name is not None:
            self._tags[name].add(self.name)
        if obj.name is None:
            obj.name = name

    def unregister(self, name: str) -> None:
        """Take a rewrite out again; KeyError if there is none of that name."""
        del self._objects[name], self._tags[name]

    def add_tags(self, name: str, *tags: str) -> None:
        """Give an entry more tags."""
        self[name]
        self._tags[name].update(tags)

    def remove_tags(self, name: str, *tags: str) -> None:
        """Take tags from an entry."""
        self[name]
        self._tags[name].difference_update(tags)

    def __getitem__(self, name: str) -> Any:
        try:
            return self._objects[name]
        except KeyError:
            raise KeyError(f"Nothing registered for '{name}'") from None

    def __contains__(self, name: str) -> bool:
        return name in self._objects

    def select(self, query: Query) -> list[tuple[str, Any]]:
        """The entries that a query asks for, in order of registration; databases resolved."""
        wanted, needed, refused = map(set, (query.include, query.require, query.exclude))
        found = []
        for name, obj in self._objects.items():
            tags = self._tags[name]
            if not tags & wanted or needed - tags or tags & refused:
                continue
            if isinstance(obj, DB):
                made = obj.query(query.subquery.get(name, query))
                made.name = name
                obj = made
            found.append((name, obj))
        return found

    def query(self, *tags: Any, **subquery: Any) -> Any:
        """One rewrite made of all that is selected: by a Query, or tags as '+a', '-b', '&c'."""
        raise NotImplementedError(f"{type(self).__name__} defines no query")

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.name}: {', '.join(self._objects)})"


def _query(tags: Sequence[Any], subquery: dict[str, Any]) -> Query:
    if len(tags) == 1 and hasattr(tags[0], "include"):
        given: Query = tags[0]
        return given
    parts: dict[str, list[str]] = {"+": [], "&": [], "-": []}
    for tag in tags:
        parts[tag[0] if tag[0] in parts else "+"].append(tag.lstrip("+&-"))
    return Query(parts["+"], parts["&"], parts["-"], subquery)


class EquilibriumDB(DB):
    """Rewrites that run until nothing changes; ``register`` takes ``final_opt`` and ``cleanup``."""

    def __init__(self, name: str | None = None, ignore_newtrees: bool = True,
                 tracks_on_change_inputs: bool = False) -> None:  # fmt: skip
        super().__init__(name)
        self.ignore_newtrees = ignore_newtrees
        self._final: set[str] = set()
        self._cleanup: set[str] = set()

    def register(self, name: str, obj: Any, *tags: str, final_opt: bool = False,
                 cleanup: bool = False, **options: Any) -> None:  # fmt: skip
        """As DB.register; ``final_opt`` runs after each round, ``cleanup`` after global ones."""
        super().register(name, obj, *tags, **options)
        (self._final if final_opt else self._cleanup if cleanup else set()).add(name)

    def query(self, *tags: Any, **subquery: Any) -> EquilibriumOptimizer:
        """An EquilibriumOptimizer."""
        found = self.select(_query(tags, subquery))
        special = self._final | self._cleanup
        return EquilibriumOptimizer(
            [obj for name, obj in found if name not in special],
            max_use_ratio=config.get("optdb.max_use_ratio"),
            ignore_newtrees=self.ignore_newtrees,
            failure_callback=NavigatorOptimizer.warn,
            final_optimizers=[obj for name, obj in found if name in self._final],
            cleanup_optimizers=[obj for name, obj in found if name in self._cleanup],
        )


class SequenceDB(DB):
    """Rewrites in the order of their positions; without one, or with 'last', at the end."""

    def __init__(self, name: str | None = None, failure_callback: Any = None) -> None:
        super().__init__(name)
        self.failure_callback = failure_callback
        self.position: dict[str, float] = {}

    def register(self, name: str, obj: Any, position: Any = "last", *tags: str,
                 **options: Any) -> None:  # fmt: skip
        """As DB.register, with the position after the rewrite (or as ``position=``)."""
        if isinstance(position, str) and position != "last":
            tags, position = (position, *tags), "last"
        super().register(name, obj, *tags, **options)
        last = max((p for p in self.position.values()), default=0.0)
        self.position[name] = last + 1 if position == "last" else float(position)

    @property
    def __position__(self) -> dict[str, float]:
        return self.position

    def unregister(self, name: str) -> None:
        """As DB.unregister."""
        super().unregister(name)
        del self.position[name]

    def placed(self, query: Query) -> list[tuple[float, Any]]:
        """What a query selects with its positions, in order, the query's own rewrites too."""
        pairs = [(self.position[name], obj) for name, obj in self.select(query)]
        pairs += [(position, obj) for obj, position in query.extra_optimizations]
        pairs = [pair for pair in pairs if pair[0] < query.position_cutoff]
        return sorted(pairs, key=lambda pair: pair[0])

    def query(self, *tags: Any, position_cutoff: float | None = None,
              **subquery: Any) -> SeqOptimizer:  # fmt: skip
        """A SeqOptimizer."""
        query = _query(tags, subquery)
        if position_cutoff is not None:
            query = query._with(position_cutoff=position_cutoff)
        found = SeqOptimizer([of_graph(obj) for _, obj in self.placed(query)])
        found.failure_callback = self.failure_callback
        return found


class LocalGroupDB(DB):
    """Local rewrites as one LocalOptGroup; ``register`` takes a ``position`` among them."""

    def __init__(self, name: str | None = None, apply_all_opts: bool = False,
                 profile: bool = False, local_opt: Any = LocalOptGroup) -> None:  # fmt: skip
        super().__init__(name)
        self.apply_all_opts = apply_all_opts
        self.local_opt = local_opt
        self._places: dict[str, float] = {}

    def register(self, name: str, obj: Any, *tags: str, position: Any = "last",
                 **options: Any) -> None:  # fmt: skip
        """As DB.register."""
        super().register(name, obj, *tags, **options)
        last = max(self._places.values(), default=0.0)
        self._places[name] = last + 1 if position == "last" else float(position)

    def query(self, *tags: Any, **subquery: Any) -> Any:
        """The group."""
        found = sorted(self.select(_query(tags, subquery)), key=lambda pair: self._places[pair[0]])
        return self.local_opt(
            *(obj for _, obj in found), apply_all_opts=self.apply_all_opts, name=self.name
        )


class TopoDB(DB):
    """A database whose local rewrites are tried once at every node, in an ``order``."""

    def __init__(self, db: DB, order: str = "in_to_out", ignore_newtrees: bool = False,
                 failure_callback: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.db, self.order, self.ignore_newtrees = db, order, ignore_newtrees
        self.failure_callback = failure_callback

    def query(self, *tags: Any, **subquery: Any) -> TopoOptimizer:
        """A TopoOptimizer."""
        return TopoOptimizer(
            self.db.query(*tags, **subquery), self.order, self.ignore_newtrees,
            self.failure_callback,
        )  # fmt: skip


class ProxyDB(DB):
    """Another database under another name."""

    def __init__(self, db: DB) -> None:
        super().__init__()
        if not isinstance(db, DB):
            raise TypeError(f"ProxyDB stands for a database, not for {db!r}")
        self.db = db

    def query(self, *tags: Any, **subquery: Any) -> Any:
        """What the other one answers."""
        return self.db.query(*tags, **subquery)


class OwnRewrites(Optimizer):
    """All our own passes of a level, as one rewrite of a FunctionGraph."""

    def __init__(self, query: Query) -> None:
        self.name = "theano"
        self.ask = query

    def apply(self, fgraph: Any) -> None:
        """Rewrite the outputs."""
        from theano.rewrite import pipeline

        level = level_of(self.ask.include)
        outputs = pipeline.optimize(
            fgraph.inputs, fgraph.outputs, including=self.ask.include, excluding=self.ask.exclude,
            level=level, expand=False, users=False,
        )  # fmt: skip
        for old, new in zip(list(fgraph.outputs), outputs, strict=True):
            fgraph.replace(old, new, reason=self.name)


def level_of(include: Iterable[str]) -> str | None:
    """The level of ours that a query's tags amount to."""
    wanted = set(include)
    for level in ("fast_run", "o4", "o3", "o2", "fast_compile", "o1", "stabilize", "merge"):
        if level in wanted:
            return level
    return None


class PipelineDB(SequenceDB):
    """``optdb``: what users register here runs at its position among our passes.

    >>> import theano, theano.tensor as T
    >>> from theano.rewrite.local_rewriters import local_optimizer
    >>> @local_optimizer([T.cosh])
    ... def cosh_is_even(node):
    ...     (x,) = node.inputs
    ...     return [T.cosh(x.owner.inputs[0])] if x.owner and x.owner.op == T.neg else None
    >>> optdb["canonicalize"].register("cosh_is_even", cosh_is_even, "fast_run")
    >>> x = T.dvector("x")
    >>> f = theano.function([x], T.cosh(-x))
    >>> any(node.op == T.neg for node in f.maker.fgraph.toposort())
    False
    >>> optdb["canonicalize"].unregister("cosh_is_even")
    """

    def query(self, *tags: Any, position_cutoff: float | None = None,
              **subquery: Any) -> SeqOptimizer:  # fmt: skip
        """Our passes, and then what users registered, as one rewrite of a FunctionGraph."""
        query = _query(tags, subquery)
        found = super().query(query, position_cutoff=position_cutoff)
        found.insert(0, OwnRewrites(query))
        return found

    def users(self) -> Iterator[str]:
        """The names of the rewrites that users registered, here and in the databases here."""
        seen: set[int] = set()
        waiting: list[DB] = [self]
        for db in waiting:  # grows while it is read
            for name, obj in db._objects.items():
                if not isinstance(obj, DB):
                    yield name
                elif id(obj) not in seen:
                    seen.add(id(obj))
                    waiting += [obj, *(other for other in [getattr(obj, "db", None)] if other)]


def _optdb() -> PipelineDB:
    made = PipelineDB()
    everywhere = ("fast_run", "fast_compile", "o1", "o2", "o3", "o4")
    fast = ("fast_run", "o2", "o3", "o4")
    rows: tuple[tuple[str, float, tuple[str, ...]], ...] = (
        ("useless", 0.6, everywhere), ("canonicalize", 1, everywhere),
        ("stabilize", 1.5, (*everywhere, "stabilize")), ("BlasOpt", 1.7, fast),
        ("specialize", 2, (*everywhere, "stabilize")), ("uncanonicalize", 3, fast),
        ("specialize_device", 48.6, everywhere), ("elemwise_fusion", 49, fast),
    )  # fmt: skip
    for name, position, tags in rows:
        db: DB = SequenceDB() if name in ("BlasOpt", "elemwise_fusion") else EquilibriumDB()
        made.register(name, db, position, *tags)
        db.name = name
    return made


optdb = _optdb()

#: which levels also answer to which tags of Theano
_TAGS = {
    "fast_run": ("fast_run",), "o4": ("fast_run", "o4"), "o3": ("fast_run", "o3"),
    "o2": ("fast_run", "o2"), "unsafe": ("fast_run", "unsafe"),
    "fast_run_stable": ("fast_run",), "stabilize": ("fast_run",),
    "fast_compile": ("fast_compile",), "o1": ("fast_compile", "o1"), "merge": ("merge",),
}  # fmt: skip


def between(
    span: tuple[float, float], inputs: Sequence[Variable], outputs: list[Variable],
    level: str | None, wanted: set[str], unwanted: set[str],
) -> list[Variable]:  # fmt: skip
    """``outputs`` after the users' rewrites whose positions are in ``span`` (its end excluded)."""
    if not any(optdb.users()):
        return outputs
    tags = [*_TAGS.get(str(level), ()), *sorted(wanted)]
    exclude = [*unwanted, *(("inplace",) if level in ("o3", "unsafe") else ())]
    cutoff = 1.5000001 if level in ("stabilize", "fast_run_stable") else None
    for position, rewrite in optdb.placed(Query(tags, (), exclude, position_cutoff=cutoff)):
        empty = isinstance(rewrite, EquilibriumOptimizer) and not (
            rewrite.local_optimizers or rewrite.global_optimizers or rewrite.final_optimizers
        )
        if span[0] <= position < span[1] and not empty:
            outputs = applied(rewrite, inputs, outputs)
    return outputs


# decorators ---------------------------------------------------------------------------------------


def _registrar(place: str, *tags: str) -> Any:
    def register(lopt: Any, *more: str, name: str | None = None, **options: Any) -> Any:
        if isinstance(lopt, str):
            return lambda inner: register(inner, lopt, *more, name=name, **options)
        title = name or getattr(lopt, "__name__", None) or lopt.name
        optdb[place].register(title, lopt, *tags, *more, **options)
        return lopt

    register.__name__ = f"register_{place}"
    register.__doc__ = (
        f"Let a local rewrite run with the pass {place!r}: ``@register_{place}`` above "
        "``@local_optimizer([...])``; strings are more tags, ``name`` another name."
    )
    return register


register_useless = _registrar("useless", "fast_run", "fast_compile")
register_canonicalize = _registrar("canonicalize", "fast_run", "fast_compile")
register_stabilize = _registrar("stabilize", "fast_run", "fast_compile")
register_specialize = _registrar("specialize", "fast_run")
register_uncanonicalize = _registrar("uncanonicalize", "fast_run")
register_specialize_device = _registrar("specialize_device", "fast_run", "fast_compile")
