"""The configuration: one object whose attributes are the flags of the table.

Values come from rc files, which THEANO_FLAGS overrides, which assignment in code overrides.
Reading a flag costs an attribute look-up; assigning parses and checks.

>>> from theano.core.config import change_flags, config
>>> with change_flags(floatX="float32"):
...     config.floatX
'float32'
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from theano.core import flag_rows, flag_rows_device, flag_rows_old
from theano.core.flags import Computed, Flag
from theano.core.sources import RcFiles, parse_flags, warn_about
from theano.core.threads import omp_num_threads

P = ParamSpec("P")
R = TypeVar("R")

READ_ONLY = "Can't change the value of this config parameter after initialization!"


class Section:
    """Flags that share a prefix, as attributes: `config.gpuarray.preallocate`.

    Values are plain instance attributes; `__getattr__` only runs for those not computed yet.
    """

    def __init__(self, root: Config, prefix: str) -> None:
        self.__dict__["_root"] = root
        self.__dict__["_prefix"] = prefix

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._root._find(self._prefix + name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._root._assign(self._prefix + name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"The configuration flag {self._prefix + name!r} cannot be deleted.")

    def __dir__(self) -> Iterable[str]:
        names = (name for name in self._root._table if name.startswith(self._prefix))
        heads = {name[len(self._prefix) :].partition(".")[0] for name in names}
        return sorted(heads | set(object.__dir__(self)))

    def __str__(self) -> str:
        flags = (flag for name, flag in self._root._table.items() if name.startswith(self._prefix))
        return "\n".join(self._root._describe(flag) for flag in flags)

    def __repr__(self) -> str:
        return f"<theano.config.{self._prefix.rstrip('.')}: print it to see its flags>"


class Config(Section):
    """All flags, each an attribute, with their table.

    Args:
        rows: the flag table.
        environ: where THEANO_FLAGS and THEANORC are looked up.

    Raises:
        ValueError: THEANO_FLAGS or an rc file gives a value that its flag does not take.
    """

    # What is read often enough that type checkers should know it.
    floatX: str
    cast_policy: str
    device: str
    force_device: bool
    compiledir: str
    base_compiledir: str
    compiledir_format: str
    openmp: bool
    init_gpu_device: str

    def __init__(self, rows: Iterable[Flag], environ: Mapping[str, str]) -> None:
        super().__init__(self, "")
        own: dict[str, Any] = {
            "_table": {},
            "_source": {},
            "_computed": [],
            "_given": parse_flags(environ.get("THEANO_FLAGS", "")),
            "_rc": RcFiles.load(environ),
        }
        self.__dict__.update(own)
        for flag in rows:
            self._add(flag)
        self._check_given()

    # ---- the table

    def _add(self, flag: Flag) -> None:
        """Enter a flag with the value that its sources give it."""
        if flag.name in self._table:
            raise AttributeError(f"The configuration flag {flag.name!r} exists already.")
        self._table[flag.name] = flag
        text, source = self._fetch(flag.name)
        holder = self._holder(flag.name)
        leaf = flag.name.rpartition(".")[2]
        if text is not None:
            self._source[flag.name] = source
            try:
                holder[leaf] = flag.parse(text)
            except ValueError as error:
                del self._table[flag.name]
                raise ValueError(f"{error} It was given in {source}.") from None
        elif not isinstance(flag.default, Computed):
            holder[leaf] = flag.default

    def _holder(self, name: str) -> dict[str, Any]:
        """The instance dictionary of the section a flag belongs to; sections are made as needed."""
        section: Section = self
        prefix = ""
        for part in name.split(".")[:-1]:
            prefix += part + "."
            inner = section.__dict__.get(part)
            if inner is None:
                inner = section.__dict__[part] = Section(self, prefix)
            elif not isinstance(inner, Section):
                raise AttributeError(f"{prefix[:-1]!r} is a flag, not a section of flags.")
            section = inner
        return section.__dict__

    def _fetch(self, name: str) -> tuple[str | None, str]:
        """The text given for a flag, and by which source."""
        if name in self._given:
            return self._given[name], "THEANO_FLAGS"
        return self._rc.get(name), "a configuration file"

    def _check_given(self) -> None:
        """Warn about unknown and obsolete names; refuse combinations that make no sense."""
        for key in self._given:
            if key not in self._table:
                text = f"Theano does not recognise this flag: {key}.{self._suggest(key)}"
                warn_about("THEANO_FLAGS", text)
        old = [name for name in self._source if self._table[name].status == "obsolete"]
        if old:
            text = f"These configuration flags have no effect any more: {', '.join(sorted(old))}."
            warn_about("theano configuration", text, DeprecationWarning)
        if self.init_gpu_device and self.device != "cpu":
            raise ValueError(
                f"init_gpu_device={self.init_gpu_device} needs device=cpu, not {self.device}."
            )
        omp_num_threads()  # refuses a malformed value now rather than at the first function

    def _suggest(self, name: str) -> str:
        """A sentence naming the flag that was probably meant, or nothing."""
        import difflib  # only needed when something is wrong

        lower = {known.lower(): known for known in self._table}
        leaves = {known.rpartition(".")[2].lower(): known for known in self._table}
        wanted = name.lower()
        close = difflib.get_close_matches(wanted, lower, n=1, cutoff=0.7)
        meant = lower[close[0]] if close else leaves.get(wanted.rpartition(".")[2])
        return f" Did you mean {meant!r}?" if meant else ""

    # ---- reading

    def _find(self, name: str) -> Any:
        """The value of a flag whose default is computed on first use."""
        flag = self._table.get(name)
        if flag is None or not isinstance(flag.default, Computed):
            raise AttributeError(
                f"There is no configuration flag {name!r}.{self._suggest(name)} "
                f"print(theano.config) lists all"
            )
        value = flag.default.find(self)
        self._holder(name)[name.rpartition(".")[2]] = value
        self._computed.append(name)
        return value

    def get(self, name: str) -> Any:
        """The value of a flag by its dotted name.

        Raises:
            AttributeError: there is no such flag.

        >>> config.get("gpuarray.preallocate")
        0.0
        """
        leaf = name.rpartition(".")[2]
        holder = self._holder(name) if name in self._table else {}
        return holder[leaf] if leaf in holder else self._find(name)

    def source(self, name: str) -> str:
        """What gave a flag its value: 'default', 'a configuration file', 'THEANO_FLAGS' or 'code'.

        Raises:
            AttributeError: there is no such flag.
        """
        if name not in self._table:
            self._find(name)
        found: str = self._source.get(name, "default")
        return found

    def flags(self) -> Iterator[Flag]:
        """All rows of the table, in its order."""
        return iter(self._table.values())

    def rc_files(self) -> tuple[str, ...]:
        """The configuration files that were read, the strongest last."""
        return tuple(self._rc.read)

    # ---- assigning

    def _assign(self, name: str, value: Any) -> None:
        """Parse, check and store a value that code gives."""
        flag = self._table.get(name)
        if flag is None:
            is_section = any(known.startswith(name + ".") for known in self._table)
            what = "It is a section of flags." if is_section else self._suggest(name).strip()
            raise AttributeError(f"There is no configuration flag {name!r}. {what}".rstrip())
        if flag.read_only:
            # The exact words, and the class, that scripts know.
            error = Exception(READ_ONLY)
            error.add_note(
                f"{name!r} is read once, when theano is imported: "
                f"set THEANO_FLAGS={name}={value} or write it into ~/.theanorc."
            )
            raise error
        self.override(name, value)
        if flag.status == "obsolete":
            warnings.warn(
                f"The configuration flag {name} has no effect any more.",
                DeprecationWarning,
                stacklevel=3,
            )

    def override(self, name: str, value: Any, source: str = "code") -> None:
        """Set a flag even if it is read-only: for what is found out at start, as a missing GPU.

        Raises:
            AttributeError: there is no such flag.
            ValueError: the flag does not take the value.
        """
        if name not in self._table:
            self._find(name)
        parsed = self._table[name].parse(value)
        self._restore(name, parsed, source)

    def _restore(self, name: str, value: Any, source: str) -> None:
        """Store a value that is known to be good, and forget what was computed from others."""
        for other in self._computed:
            if other not in self._source:
                self._holder(other).pop(other.rpartition(".")[2], None)
        self._computed.clear()
        self._holder(name)[name.rpartition(".")[2]] = value
        if source == "default":
            self._source.pop(name, None)
            if isinstance(self._table[name].default, Computed):
                self._computed.append(name)
        else:
            self._source[name] = source

    def snapshot(self) -> dict[str, tuple[Any, str]]:
        """The values of all flags that something set, with their sources, for `restore`."""
        return {name: (self.get(name), source) for name, source in self._source.items()}

    def restore(self, snapshot: Mapping[str, tuple[Any, str]]) -> None:
        """Put every flag back to where `snapshot` found it."""
        for name in [name for name in self._source if name not in snapshot]:
            default = self._table[name].default
            if isinstance(default, Computed):
                self._holder(name).pop(name.rpartition(".")[2], None)
                del self._source[name]
            else:
                self._restore(name, default, "default")
        for name, (value, source) in snapshot.items():
            self._restore(name, value, source)

    # ---- showing

    def _describe(self, flag: Flag) -> str:
        try:
            value = self.get(flag.name)
        except ValueError as error:
            value = f"cannot be computed: {error}"
        return f"{flag}\n    Doc:  {flag.doc}\n    Value:  {value}\n"

    def __repr__(self) -> str:
        return (
            f"<theano.config: {len(self._table)} flags, floatX={self.floatX}, "
            f"device={self.device}; print it to see all>"
        )


config = Config(flag_rows.ROWS + flag_rows_device.ROWS + flag_rows_old.ROWS, os.environ)


def AddConfigVar(
    name: str,
    doc: str,
    configparam: Flag,
    root: Config | None = None,
    in_c_key: bool = True,
) -> None:
    """Add a flag to the table, with the value that rc files or THEANO_FLAGS give it.

    Args:
        name: dotted name.
        doc: one sentence.
        configparam: what `StrParam`, `IntParam`, `FloatParam`, `BoolParam` or `EnumStr` returns.
        root: the configuration to add to, by default the one of the process.
        in_c_key: whether compiled code depends on the value.

    Raises:
        AttributeError: the name is taken.
    """
    row = replace(configparam, name=name, doc=doc, affects_code=in_c_key)
    (config if root is None else root)._add(row)


def fetch_val_for_key(key: str, delete_key: bool = False) -> str:
    """The text that THEANO_FLAGS, or else an rc file, gives for a key.

    Args:
        key: dotted name of a flag.
        delete_key: forget the entry of THEANO_FLAGS.

    Raises:
        KeyError: neither gives it.
    """
    text, _ = config._fetch(key)
    if text is None:
        raise KeyError(key)
    if delete_key:
        config._given.pop(key, None)
    return text


def get_config_hash() -> str:
    """A digest of the values of all flags that compiled code depends on."""
    import hashlib  # only needed when something is compiled

    names = sorted(flag.name for flag in config.flags() if flag.affects_code)
    text = "\n".join(f"{name}={config.get(name)!r}" for name in names)
    return hashlib.sha256(text.encode()).hexdigest()


class change_flags:
    """Context manager and decorator that sets flags and puts their values back.

    Args:
        flags: name to value; the only way to give dotted names.
        kwargs: the same, as keywords.

    Raises:
        AttributeError: an unknown flag.
        ValueError: a value that its flag does not take; then nothing is changed.

    >>> @change_flags({"traceback.limit": 1}, floatX="float32")
    ... def f():
    ...     return config.floatX, config.traceback.limit
    >>> f()
    ('float32', 1)
    """

    def __init__(self, flags: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        self._new = {**(flags or {}), **kwargs}
        self._saved: list[list[tuple[str, Any, str]]] = []
        for name in self._new:
            config.source(name)  # refuses unknown names now

    def __enter__(self) -> None:
        saved: list[tuple[str, Any, str]] = []
        self._saved.append(saved)
        try:
            for name, value in self._new.items():
                before = (name, config.get(name), config.source(name))
                config._assign(name, value)
                saved.append(before)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *exc: object) -> None:
        for name, value, source in reversed(self._saved.pop()):
            config._restore(name, value, source)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def changed(*args: P.args, **kwargs: P.kwargs) -> R:
            with change_flags(self._new):  # its own saved values in every thread
                return function(*args, **kwargs)

        return changed
