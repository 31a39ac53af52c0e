"""LLVM's parser and code generator by the C functions of llvmlite's library.

``llvmlite.binding`` wraps some 300 of these functions in classes; importing it takes four times as
long as loading the library, a sixth of the time to a first result. Object code from text needs the
twenty below. They are the same in all `VERSIONS` of llvmlite; with any other, and where our own
loader cannot link object code, `open_library` gives None and llvmlite itself is used.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from typing import Any, Final

from theano.core.record import dataclass

#: Versions of llvmlite whose functions are those of `FUNCTIONS`.
VERSIONS: Final = ("0.45", "0.46", "0.47", "0.48", "0.49", "0.50")

_P: Final = ctypes.c_void_p  # an object of LLVM
_S: Final = ctypes.c_char_p
_OUT: Final = ctypes.POINTER(ctypes.c_char_p)  # where a text is left, to be given back
_I: Final = ctypes.c_int

#: What a function gives, and takes.
FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "InitializeNativeTarget": (_I, ()),
    "InitializeNativeAsmPrinter": (_I, ()),
    "GetVersionInfo": (ctypes.c_uint, ()),
    "GetProcessTriple": (None, (_OUT,)),
    "GetHostCPUName": (None, (_OUT,)),
    "GetHostCPUFeatures": (_I, (_OUT,)),
    "GetTargetFromTriple": (_P, (_S, _OUT)),
    "CreateTargetMachine": (_P, (_P, _S, _S, _S, _I, _S, _S, _I, _I, _S)),
    "CreateTargetMachineData": (_P, (_P,)),
    "CopyStringRepOfTargetData": (None, (_P, _OUT)),
    "DisposeTargetData": (None, (_P,)),
    "ContextCreate": (_P, ()),
    "ContextDispose": (None, (_P,)),
    "ParseAssembly": (_P, (_P, _S, _OUT)),
    "DisposeModule": (None, (_P,)),
    "TargetMachineEmitToMemory": (_P, (_P, _P, _I, _OUT)),
    "GetBufferStart": (_P, (_P,)),
    "GetBufferSize": (ctypes.c_size_t, (_P,)),
    "DisposeMemoryBuffer": (None, (_P,)),
    "DisposeString": (None, (_S,)),
}


@dataclass(frozen=True, slots=True)
class Host:
    """What LLVM says of this process; ``version`` is LLVM's."""

    triple: str
    cpu: str
    features: str
    version: str


def open_library() -> Library | None:
    """llvmlite's library, or None where it is not known, or not the only thing needed.

    Raises ImportError without llvmlite, OSError where its library cannot be loaded.
    """
    import llvmlite

    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    version = re.match(r"\d+\.\d+", llvmlite.__version__)
    if version is None or version[0] not in VERSIONS:
        return None
    path = os.path.join(os.path.dirname(llvmlite.__file__), "binding", "libllvmlite.so")
    return Library(path) if os.path.exists(path) else None


class Library:
    """The functions, and what is made of them. Calls must not overlap."""

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        self._f: dict[str, Any] = {}
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, f"LLVMPY_{name}")
            function.restype, function.argtypes = result, arguments
            self._f[name] = function
        self._f["InitializeNativeTarget"]()
        self._f["InitializeNativeAsmPrinter"]()

    def _text(self, name: str, *arguments: Any) -> str:
        """What a function leaves in its last argument."""
        place = ctypes.c_char_p()
        self._f[name](*arguments, ctypes.byref(place))
        return self._taken(place)

    def _taken(self, place: ctypes.c_char_p) -> str:
        found = (place.value or b"").decode()
        if place:
            self._f["DisposeString"](place)
        return found

    def host(self) -> Host:
        """This processor, in LLVM's words."""
        given = self._text("GetHostCPUFeatures").split(",")
        features = ",".join(sorted(filter(None, given), key=lambda feature: feature[1:]))
        number = int(self._f["GetVersionInfo"]())
        parts = number.to_bytes(4, "big").lstrip(b"\0")
        return Host(
            self._text("GetProcessTriple"), self._text("GetHostCPUName"), features,
            ".".join(map(str, parts)),
        )  # fmt: skip

    def machine(self, host: Host, level: int) -> int:
        """A code generator for this processor: position-independent, small model, for a JIT."""
        place = ctypes.c_char_p()
        triple = host.triple.encode()
        target = self._f["GetTargetFromTriple"](triple, ctypes.byref(place))
        if not target:
            raise RuntimeError(f"LLVM has no target {host.triple}: {self._taken(place)}")
        made = self._f["CreateTargetMachine"](
            target, triple, host.cpu.encode(), host.features.encode(), level, b"pic", b"small",
            0, 1, b"",
        )  # fmt: skip
        if not made:
            raise RuntimeError(f"LLVM has no code generator for {host.triple}")
        return int(made)

    def data_layout(self, machine: int) -> str:
        """The layout of data that ``machine`` generates code for."""
        data = self._f["CreateTargetMachineData"](machine)
        found = self._text("CopyStringRepOfTargetData", data)
        self._f["DisposeTargetData"](data)
        return found

    def object_code(self, machine: int, text: str) -> bytes:
        """The object file of a module. Raises RuntimeError for text that is not valid IR."""
        f, place = self._f, ctypes.c_char_p()
        context = f["ContextCreate"]()
        try:
            module = f["ParseAssembly"](context, text.encode(), ctypes.byref(place))
            problem = self._taken(place)
            if not module or problem:
                if module:
                    f["DisposeModule"](module)
                raise RuntimeError(f"LLVM IR parsing error\n{problem}")
            try:
                return self._emitted(machine, module)
            finally:
                f["DisposeModule"](module)
        finally:
            f["ContextDispose"](context)

    def _emitted(self, machine: int, module: int) -> bytes:
        f, place = self._f, ctypes.c_char_p()
        buffer = f["TargetMachineEmitToMemory"](machine, module, 1, ctypes.byref(place))
        if not buffer:
            raise RuntimeError(self._taken(place))
        try:
            return ctypes.string_at(f["GetBufferStart"](buffer), f["GetBufferSize"](buffer))
        finally:
            f["DisposeMemoryBuffer"](buffer)
