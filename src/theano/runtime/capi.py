"""Addresses of the Python and NumPy C functions that native code calls, and object layouts.

Native modules never contain an address: they name symbols, and `symbols` gives the address of
each name when a module is linked. Offsets into ``PyArrayObject`` are verified against a known
array at first use; if anything looks different, `native_calls_supported` says no and callers
stay in Python.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.core.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

# Functions of the CPython ABI; each is bound under its own name.
PYTHON_FUNCTIONS: Final = (
    "Py_IncRef", "Py_DecRef", "PyErr_SetString", "PyErr_Occurred", "PyErr_Clear",
    "PyErr_CheckSignals",
    "PyErr_NoMemory", "PyErr_SetObject", "PyEval_SaveThread", "PyEval_RestoreThread",
    "PyGILState_Ensure", "PyGILState_Release", "PyObject_Vectorcall", "PyObject_CallObject",
    "PyTuple_New", "PyTuple_SetItem", "PyTuple_GetItem", "PyTuple_Size",
    "PyList_New", "PyList_SetItem", "PyList_GetItem", "PyList_Size",
    "PyDict_GetItem", "PyDict_SetItem", "PyDict_New",
    "PyFloat_FromDouble", "PyFloat_AsDouble", "PyLong_FromLongLong", "PyLong_AsLongLong",
    "PyLong_AsLongLongAndOverflow", "PyBool_FromLong", "PyUnicode_FromString",
    "PyCapsule_New", "PyCapsule_GetPointer", "PyCapsule_GetContext", "PyCapsule_SetContext",
    "PyMem_RawMalloc", "PyMem_RawFree", "PyThread_get_thread_ident",
)  # fmt: skip

# Objects whose address is the object itself: ``@PyFloat_Type = external global i8``.
PYTHON_OBJECTS: Final = (
    "PyFloat_Type", "PyLong_Type", "PyBool_Type", "PyTuple_Type", "PyList_Type",
    "_Py_NoneStruct", "_Py_TrueStruct", "_Py_FalseStruct",
)  # fmt: skip

# ``PyObject *`` variables: declared ``external global ptr`` and loaded before use.
PYTHON_EXCEPTIONS: Final = (
    "PyExc_TypeError", "PyExc_ValueError", "PyExc_IndexError", "PyExc_RuntimeError",
    "PyExc_MemoryError", "PyExc_ZeroDivisionError", "PyExc_FloatingPointError",
    "PyExc_OverflowError", "PyExc_AssertionError",
)  # fmt: skip

# Slots of NumPy's C API table (stable since NumPy 1.7).
NUMPY_TABLE: Final[Mapping[str, int]] = MappingProxyType({
    "PyArray_Type": 2, "PyArray_DescrFromType": 45, "PyArray_FromAny": 69,
    "PyArray_NewCopy": 85, "PyArray_New": 93, "PyArray_NewFromDescr": 94,
    "PyArray_SetBaseObject": 282,
})  # fmt: skip

DTYPES: Final = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
)  # fmt: skip

# PyArrayObject.flags
C_CONTIGUOUS: Final = 0x1
F_CONTIGUOUS: Final = 0x2
OWNDATA: Final = 0x4
ALIGNED: Final = 0x100
WRITEABLE: Final = 0x400


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte offsets of the object fields that native code reads."""

    head: int
    type: int
    data: int
    nd: int
    dimensions: int
    strides: int
    base: int
    descr: int
    flags: int
    float_value: int
    descr_type_num: int
    descr_byteorder: int
    tuple_items: int


def layout() -> Layout:
    """Return the object layout of this interpreter.

    >>> layout().data == object.__basicsize__
    True
    """
    head = object.__basicsize__
    word = ctypes.sizeof(ctypes.c_void_p)
    return Layout(
        head=head, type=head - word, data=head, nd=head + word, dimensions=head + 2 * word,
        strides=head + 3 * word, base=head + 4 * word, descr=head + 5 * word,
        flags=head + 6 * word, float_value=head, descr_type_num=head + word + 4,
        descr_byteorder=head + word + 1, tuple_items=tuple.__basicsize__,
    )  # fmt: skip


def descr_symbol(dtype: str) -> str:
    """Return the symbol that is bound to NumPy's descriptor object of ``dtype``.

    >>> descr_symbol("float32")
    'npy_float32'
    """
    return f"npy_{dtype}"


@functools.cache
def _numpy_table() -> ctypes.Array[ctypes.c_void_p]:
    try:
        umath: Any = importlib.import_module("numpy._core._multiarray_umath")
    except ImportError:  # NumPy 1.x
        umath = importlib.import_module("numpy.core._multiarray_umath")
    getter = ctypes.pythonapi.PyCapsule_GetPointer
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer = prototype(ctypes.cast(getter, ctypes.c_void_p).value or 0)(umath._ARRAY_API, None)
    return (ctypes.c_void_p * 300).from_address(pointer)


def _function_address(name: str) -> int:
    value = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    if not value:
        raise AttributeError(name)
    return value


def _object_address(name: str) -> int:
    return ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, name))


@functools.cache
def symbols() -> Mapping[str, int]:
    """Return symbol name -> address of everything native code may import from Python and NumPy.

    Data objects (types, ``_Py_NoneStruct``, ``npy_<dtype>`` descriptors) are bound to the object
    itself; ``PyExc_*`` to the variable that holds the exception class.
    """
    table = {name: _function_address(name) for name in PYTHON_FUNCTIONS}
    table.update((name, _object_address(name)) for name in PYTHON_OBJECTS + PYTHON_EXCEPTIONS)
    numpy_table = _numpy_table()
    table.update((name, numpy_table[slot] or 0) for name, slot in NUMPY_TABLE.items())
    # The built-in descriptors are immortal singletons: NumPy holds them for the whole process.
    table.update((descr_symbol(name), id(np.dtype(name))) for name in DTYPES)
    return MappingProxyType(table)


def _check() -> str:
    """Return why native calls are not possible here, or the empty string."""
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} has no CPython object layout"
    # Builds without the lock have longer object heads (and sysconfig is slow to import).
    if object.__basicsize__ != 2 * ctypes.sizeof(ctypes.c_void_p):
        return "native functions of this version rely on the global interpreter lock"
    try:
        table = symbols()
    except (AttributeError, ValueError, ImportError) as error:
        return f"a C API symbol is missing: {error}"
    if table["PyArray_Type"] != id(np.ndarray):
        return "NumPy's C API table has an unknown order"
    if table["_Py_NoneStruct"] != id(None) or table["PyFloat_Type"] != id(float):
        return "the Python C API has unknown data symbols"
    return _check_layout(layout())


def _check_layout(at: Layout) -> str:
    base = np.arange(60, dtype=np.float64).reshape(3, 4, 5)
    probe = base[:, ::2]
    address = id(probe)

    def word(offset: int) -> int:
        return ctypes.c_size_t.from_address(address + offset).value

    def row(offset: int) -> tuple[int, ...]:
        return tuple((ctypes.c_ssize_t * probe.ndim).from_address(word(offset)))

    facts = {
        "type": word(at.type) == id(np.ndarray),
        "data": word(at.data) == probe.ctypes.data,
        "nd": ctypes.c_int.from_address(address + at.nd).value == probe.ndim,
        "base": word(at.base) == id(probe.base),
        "descr": word(at.descr) == id(np.dtype("float64")),
        "flags": ctypes.c_int.from_address(address + at.flags).value & 0x507 == ALIGNED | WRITEABLE,
    }
    # Pointers are followed only after everything else was as expected.
    if all(facts.values()):
        number_of_type = ctypes.c_int.from_address(word(at.descr) + at.descr_type_num).value
        facts["type_num"] = number_of_type == probe.dtype.num
        facts["dimensions"] = row(at.dimensions) == probe.shape
        facts["strides"] = row(at.strides) == probe.strides
    number = 1.5
    facts["float"] = ctypes.c_double.from_address(id(number) + at.float_value).value == number
    pair = (base, probe)
    items = (ctypes.c_size_t * 2).from_address(id(pair) + at.tuple_items)
    facts["tuple"] = tuple(items) == (id(base), id(probe))
    wrong = [name for name, good in facts.items() if not good]
    return f"PyArrayObject has unknown offsets: {', '.join(wrong)}" if wrong else ""


@functools.cache
def native_call_problem() -> str:
    """Return the reason why native calls are not supported, or the empty string."""
    return _check()


def native_calls_supported() -> bool:
    """Tell whether native functions may read and build arrays in this interpreter."""
    return not native_call_problem()


def declarations() -> str:
    """Return LLVM declarations of the symbols that generated host functions use.

    Only those a module really uses need to be bound at link time.
    """
    data = (*PYTHON_OBJECTS, "PyArray_Type", *(descr_symbol(name) for name in DTYPES))
    lines = [f"@{name} = external global i8" for name in data]
    lines += [f"@{name} = external global ptr" for name in PYTHON_EXCEPTIONS]
    lines += [f"declare {SIGNATURES[name].replace('@', '@' + name)}" for name in SIGNATURES]
    return "\n".join(lines) + "\n"


# Signatures in LLVM's words; ``@`` stands for the name.
SIGNATURES: Final[Mapping[str, str]] = MappingProxyType({
    "Py_IncRef": "void @(ptr)", "Py_DecRef": "void @(ptr)",
    "PyErr_SetString": "void @(ptr, ptr)", "PyErr_SetObject": "void @(ptr, ptr)",
    "PyErr_CheckSignals": "i32 @()", "PyErr_Occurred": "ptr @()", "PyErr_Clear": "void @()",
    "PyErr_NoMemory": "ptr @()",
    "PyEval_SaveThread": "ptr @()", "PyEval_RestoreThread": "void @(ptr)",
    "PyGILState_Ensure": "i32 @()", "PyGILState_Release": "void @(i32)",
    "PyObject_Vectorcall": "ptr @(ptr, ptr, i64, ptr)",
    "PyObject_CallObject": "ptr @(ptr, ptr)",
    "PyTuple_New": "ptr @(i64)", "PyTuple_SetItem": "i32 @(ptr, i64, ptr)",
    "PyTuple_GetItem": "ptr @(ptr, i64)", "PyTuple_Size": "i64 @(ptr)",
    "PyList_New": "ptr @(i64)", "PyList_SetItem": "i32 @(ptr, i64, ptr)",
    "PyList_GetItem": "ptr @(ptr, i64)", "PyList_Size": "i64 @(ptr)",
    "PyDict_New": "ptr @()", "PyDict_GetItem": "ptr @(ptr, ptr)",
    "PyDict_SetItem": "i32 @(ptr, ptr, ptr)",
    "PyFloat_FromDouble": "ptr @(double)", "PyFloat_AsDouble": "double @(ptr)",
    "PyLong_FromLongLong": "ptr @(i64)", "PyLong_AsLongLong": "i64 @(ptr)",
    "PyLong_AsLongLongAndOverflow": "i64 @(ptr, ptr)", "PyBool_FromLong": "ptr @(i64)",
    "PyUnicode_FromString": "ptr @(ptr)",
    "PyCapsule_New": "ptr @(ptr, ptr, ptr)", "PyCapsule_GetPointer": "ptr @(ptr, ptr)",
    "PyCapsule_GetContext": "ptr @(ptr)", "PyCapsule_SetContext": "i32 @(ptr, ptr)",
    "PyMem_RawMalloc": "ptr @(i64)", "PyMem_RawFree": "void @(ptr)",
    "PyThread_get_thread_ident": "i64 @()",
    "PyArray_DescrFromType": "ptr @(i32)",
    "PyArray_FromAny": "ptr @(ptr, ptr, i32, i32, i32, ptr)",
    "PyArray_NewCopy": "ptr @(ptr, i32)",
    "PyArray_New": "ptr @(ptr, i32, ptr, i32, ptr, ptr, i32, i32, ptr)",
    "PyArray_NewFromDescr": "ptr @(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)",
    "PyArray_SetBaseObject": "i32 @(ptr, ptr)",
})  # fmt: skip
