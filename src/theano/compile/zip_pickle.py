"""Pickles as zip files whose arrays are ``.npy`` members, readable without Theano.

``dump`` writes the object as the member ``pkl`` and every array, those of shared variables
included, as a member of its own; ``numpy.load`` opens the file too. The layout is that of
``theano.misc.pkl_utils``, under whose name these functions are found.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from theano.graph.nodes import Variable
from theano.graph.shared import SharedVariable

DEFAULT_PROTOCOL = pickle.HIGHEST_PROTOCOL


class StripPickler(pickle.Pickler):
    """A pickler that leaves out what is only noted on variables: traces, and named tags.

    Parameters: the file, the protocol, and ``extra_tag_to_remove``, a name or list of names.
    """

    def __init__(
        self, file: Any, protocol: int = 0, extra_tag_to_remove: Any = None, **others: Any
    ) -> None:
        super().__init__(file, protocol, **others)
        names = [extra_tag_to_remove] if isinstance(extra_tag_to_remove, str) else (
            extra_tag_to_remove or ()
        )  # fmt: skip
        self.tag_to_remove = ["trace", "test_value", *names]

    def reducer_override(self, obj: Any) -> Any:
        """Variables without these tags; everything else as usual."""
        if not isinstance(obj, Variable):
            return NotImplemented
        found = obj.__reduce_ex__(2)
        if len(found) < 3 or not isinstance(found[2], dict) or "tag" not in found[2]:
            return found
        state = dict(found[2])
        kept = {k: v for k, v in vars(obj.tag).items() if k not in self.tag_to_remove}
        tag = type(obj.tag)()
        vars(tag).update(kept)
        state["tag"] = tag
        return (*found[:2], state, *found[3:])


class CompatUnpickler(pickle.Unpickler):
    """An unpickler that reads pickles of Python 2 (text as latin1)."""

    def __init__(self, file: Any, **others: Any) -> None:
        super().__init__(file, **{"encoding": "latin1", **others})


class PersistentNdarrayID:
    """Called with each object of a pickle: writes arrays to the zip file and gives their keys."""

    def __init__(self, zip_file: zipfile.ZipFile) -> None:
        self.zip_file = zip_file
        self.count = 0
        self.seen: dict[int, tuple[str, Any]] = {}

    def _name(self, obj: Any) -> str:
        name = f"array_{self.count}"
        self.count += 1
        return name

    def __call__(self, obj: Any) -> Any:
        if type(obj) is not np.ndarray or obj.dtype.hasobject:
            return None
        if id(obj) not in self.seen:
            name = self._name(obj)
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(obj), allow_pickle=False)
            self.zip_file.writestr(name, data.getvalue())
            self.seen[id(obj)] = (f"ndarray.{name}", obj)
        return self.seen[id(obj)][0]


class PersistentSharedVariableID(PersistentNdarrayID):
    """The same, arrays of named shared variables under the names of these.

    Raises ValueError for a name that is used twice unless ``allow_duplicates``, and for the names
    ``pkl`` and those of unnamed arrays.
    """

    def __init__(self, zip_file: zipfile.ZipFile, allow_unnamed: bool = True,
                 allow_duplicates: bool = True) -> None:  # fmt: skip
        super().__init__(zip_file)
        self.allow_unnamed = allow_unnamed
        self.allow_duplicates = allow_duplicates
        self.names: dict[int, tuple[str, Any]] = {}
        self.counter: Counter[str] = Counter()

    def _name(self, obj: Any) -> str:
        found = self.names.get(id(obj))
        return super()._name(obj) if found is None else found[0]

    def __call__(self, obj: Any) -> Any:
        if isinstance(obj, SharedVariable):
            self._note(obj)
        return super().__call__(obj)

    def _note(self, variable: SharedVariable) -> None:
        value = variable.container.storage[0]
        if type(value) is not np.ndarray or id(value) in self.names:
            return
        name = variable.name
        if not name:
            if not self.allow_unnamed:
                raise ValueError(f"The shared variable {variable} has no name.")
            return
        if name == "pkl" or name.startswith("array_"):
            raise ValueError(f"A shared variable cannot be stored under the name {name!r}.")
        if self.counter[name] and not self.allow_duplicates:
            raise ValueError(f"Two shared variables are called {name!r}.")
        self.counter[name] += 1
        count = self.counter[name]
        self.names[id(value)] = (name if count == 1 else f"{name}_{count}", value)


class PersistentNdarrayLoad:
    """Called with a key of ``PersistentNdarrayID``: the array."""

    def __init__(self, zip_file: zipfile.ZipFile) -> None:
        self.zip_file = zip_file
        self.cache: dict[str, Any] = {}

    def __call__(self, persid: str) -> Any:
        kind, _, name = str(persid).partition(".")
        if kind not in ("ndarray", "gpuarray", "cudandarray"):
            raise pickle.UnpicklingError(f"unknown persistent id {persid!r}")
        if name not in self.cache:
            with self.zip_file.open(name) as member:
                data = io.BytesIO(member.read())
            self.cache[name] = np.lib.format.read_array(data, allow_pickle=False)
        return self.cache[name]


def dump(
    obj: Any,
    file_handler: IO[bytes],
    protocol: int = DEFAULT_PROTOCOL,
    persistent_id: Callable[[zipfile.ZipFile], Any] | None = PersistentSharedVariableID,
) -> None:
    """Pickle ``obj`` to a zip file, arrays as members of their own.

    Parameters
    ----------
    obj : anything that pickles: models, graphs, lists of shared variables.
    file_handler : a file open for writing bytes.
    protocol : of the pickle.
    persistent_id : called with the zip file; gives what decides about each object.

    >>> import io, numpy as np, theano
    >>> file = io.BytesIO()
    >>> dump(theano.shared(np.ones(2), "w"), file)
    >>> _ = file.seek(0)
    >>> sorted(np.load(file).files)
    ['pkl', 'w']
    """
    with zipfile.ZipFile(file_handler, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as zip_file:
        decide = persistent_id(zip_file) if persistent_id is not None else None
        text = io.BytesIO()
        pickler = _pickler(decide)(text, protocol)
        pickler.dump(obj)
        zip_file.writestr("pkl", text.getvalue())


def _pickler(decide: Any) -> type[pickle.Pickler]:
    class ZipPickler(pickle.Pickler):
        """Asks ``decide`` about each object."""

        def persistent_id(self, obj: Any) -> Any:
            return None if decide is None else decide(obj)

    return ZipPickler


def load(
    f: IO[bytes], persistent_load: Callable[[zipfile.ZipFile], Any] = PersistentNdarrayLoad
) -> Any:
    """The object that ``dump`` wrote to the file ``f``. Only load files that you trust."""
    with zipfile.ZipFile(f, "r") as zip_file:
        find = persistent_load(zip_file)

        class ZipUnpickler(CompatUnpickler):
            """Finds arrays among the members."""

            def persistent_load(self, pid: Any) -> Any:
                return find(pid)

        return ZipUnpickler(io.BytesIO(zip_file.read("pkl"))).load()
