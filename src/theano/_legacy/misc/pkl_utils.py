"""``theano.misc.pkl_utils``."""

from theano.compile.zip_pickle import (
    CompatUnpickler,
    PersistentNdarrayID,
    PersistentNdarrayLoad,
    PersistentSharedVariableID,
    StripPickler,
    dump,
    load,
)

__all__ = [
    "CompatUnpickler", "PersistentNdarrayID", "PersistentNdarrayLoad",
    "PersistentSharedVariableID", "StripPickler", "dump", "load",
]  # fmt: skip
