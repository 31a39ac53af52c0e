"""C API table, built-in functions and the compiler driver."""

import ctypes
import gc
import os
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
from builders import in_threads

from theano.backends.cpu import compiler
from theano.runtime import blas, capi
from theano.runtime.cache import ObjectCache
from theano.runtime.pycfunction import make_builtin, subclass_with_call

FIRST_IR = (
    capi.declarations()
    + """
define ptr @first(ptr %self, ptr %args, i64 %n, ptr %names) {
  %none = icmp eq i64 %n, 0
  br i1 %none, label %bad, label %good
good:
  %a = load ptr, ptr %args
  call void @Py_IncRef(ptr %a)
  ret ptr %a
bad:
  %type = load ptr, ptr @PyExc_TypeError
  call void @PyErr_SetString(ptr %type, ptr @text)
  ret ptr null
}
define ptr @zero(ptr %self, ptr %args, i64 %n) {
  call void @Py_IncRef(ptr @npy_float32)
  %r = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr @npy_float32, i32 0, ptr null,
    ptr null, ptr null, i32 0, ptr null)
  %p = getelementptr i8, ptr %r, i64 DATA
  %d = load ptr, ptr %p
  store float 42.0, ptr %d
  ret ptr %r
}
@text = private constant [9 x i8] c"no input\\00"
""".replace("DATA", str(capi.layout().data))
)


@pytest.fixture(autouse=True)
def need_compiler(helpers):
    del helpers


@pytest.fixture
def module():
    return compiler.compile_module(FIRST_IR, ["first", "zero"], capi.symbols(), verify=True)


def test_this_interpreter_is_known():
    assert capi.native_calls_supported(), capi.native_call_problem()
    table = capi.symbols()
    assert all(table.values())
    assert set(capi.SIGNATURES) <= set(table)
    assert table["npy_float32"] == id(np.dtype("float32"))
    assert table["PyArray_Type"] == id(np.ndarray)


def test_a_wrong_layout_is_noticed(monkeypatch):
    at = capi.layout()
    for field in ("data", "nd", "strides", "descr", "flags"):
        changed = {name: getattr(at, name) for name in at.__slots__}
        changed[field] += 8 if field != "flags" else 16
        assert "offsets" in capi._check_layout(capi.Layout(**changed))


def test_built_in_functions(module):
    first = make_builtin(module["first"], module, keywords=True, name="first", doc="the first")
    assert first(3, 4) == 3
    assert first(*[5], name=1) == 5
    assert (first.__name__, first.__doc__, first.__self__) == ("first", "the first", module)
    with pytest.raises(TypeError, match="no input"):
        first()
    zero = make_builtin(module["zero"], module)
    result = zero()
    assert (result.dtype, result.shape, float(result)) == (np.dtype("float32"), (), 42.0)
    with pytest.raises(TypeError, match="no keyword"):
        zero(a=1)
    with pytest.raises(ValueError, match="address"):
        make_builtin(0, module)


def test_references_are_balanced(module):
    first = make_builtin(module["first"], module, keywords=True)
    zero = make_builtin(module["zero"], module)
    thing = object()
    descr = np.dtype("float32")
    before = sys.getrefcount(thing), sys.getrefcount(descr)
    for _ in range(1000):
        first(thing)
        zero()
    assert (sys.getrefcount(thing), sys.getrefcount(descr)) == before


def test_the_function_keeps_its_code(module):
    class Function:
        """Something callable."""

    alive = weakref.ref(module)
    call = make_builtin(module["first"], (module, "state"), keywords=True)
    function = subclass_with_call(Function, call)()
    assert isinstance(function, Function)
    assert type(function).__name__ == "Function"
    del module, call
    gc.collect()
    assert function(7) == 7
    escaped = function.__call__
    del function
    gc.collect()
    assert escaped(8) == 8
    assert alive() is not None


def ir(value):
    return f"define i64 @answer() {{\n  ret i64 {value}\n}}\n"


def answer(module):
    return ctypes.CFUNCTYPE(ctypes.c_int64)(module["answer"])()


def test_code_comes_back_from_the_cache(tmp_path):
    cache = ObjectCache(tmp_path)
    made = compiler.compile_module(ir(41), ["answer"], {}, cache=cache)
    assert (answer(made), made.from_cache) == (41, False)
    assert compiler.compile_module(ir(41), ["answer"], {}, cache=cache) is made
    del made
    gc.collect()
    again = compiler.compile_module(ir(41), ["answer"], {}, cache=cache)
    assert (answer(again), again.from_cache) == (41, True)
    assert compiler.module_key(ir(41)) != compiler.module_key(ir(42))
    assert compiler.module_key(ir(41)) != compiler.module_key(ir(41), optimize=True)


def test_an_entry_that_is_no_object_code_is_made_anew(tmp_path):
    cache = ObjectCache(tmp_path)
    key = compiler.module_key(ir(43))
    for junk in (b"", b"not an object", b"\x7fELF" + bytes(500)):
        cache.put(key, junk)
        module = compiler.compile_module(ir(43), ["answer"], {}, cache=cache)
        assert (answer(module), module.from_cache) == (43, False)
        assert cache.get(key) != junk
        del module
        gc.collect()


def test_the_optimizer_can_be_asked_for():
    assert answer(compiler.compile_module(ir(44), ["answer"], {}, optimize=True)) == 44
    assert "answer" in compiler.emit_assembly(ir(44))


def test_mistakes_of_a_generator_raise():
    with pytest.raises(RuntimeError, match="type"):
        compiler.compile_module("define i64 @f() {\n ret i32 1\n}\n", ["f"], {})
    with pytest.raises(RuntimeError, match="materialize"):
        compiler.compile_module(
            "declare void @nowhere_to_be_found()\ndefine void @f() {\n"
            " call void @nowhere_to_be_found()\n ret void\n}\n", ["f"], {},
        )  # fmt: skip


def test_threads_may_compile_at_once():
    results = {}

    def work(n):
        results[n] = [answer(compiler.compile_module(ir(n * 100 + i), ["answer"], {}))
                      for i in range(10)]  # fmt: skip

    in_threads(work, range(4))
    assert results == {n: [n * 100 + i for i in range(10)] for n in range(4)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_child_forked_during_compilation_can_compile():
    stop = threading.Event()

    def busy():
        number = 10_000
        while not stop.is_set():
            number += 1
            compiler.compile_module(ir(number), ["answer"], {})

    other = threading.Thread(target=busy)
    other.start()
    try:
        for number in range(8):
            child = os.fork()
            if child == 0:
                os._exit(answer(compiler.compile_module(ir(50 + number), ["answer"], {})))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 50 + number
    finally:
        stop.set()
        other.join()


def test_several_processes_share_an_empty_cache(tmp_path):
    program = (
        "import ctypes\n"
        "from theano.backends.cpu import compiler, helpers\n"
        "from theano.runtime.cache import ObjectCache\n"
        f"c = ObjectCache({str(tmp_path)!r})\n"
        "h = helpers.helpers(c)\n"
        "h.symbols(['th_sgemm', 'th_dgemm', 'th_empty'])\n"
        f"m = compiler.compile_module({ir(9)!r}, ['answer'], {{}}, cache=c)\n"
        "assert ctypes.CFUNCTYPE(ctypes.c_int64)(m['answer'])() == 9\n"
    )
    children = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [child.wait(120) for child in children] == [0, 0, 0]
    assert ObjectCache(tmp_path).stats().entries == 5 + 4  # code, notes about helper libraries


def test_llvmlite_is_loaded_late():
    program = (
        "import sys, theano.backends.cpu.compiler, theano.runtime.blas\n"
        "assert not {'llvmlite', 'scipy'} & set(sys.modules), 'loaded early'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_blas_search():
    assert blas.find("none") is None
    with pytest.raises(ValueError, match="no CBLAS"):
        blas.find("/nonexistent/libblas.so")
    found = blas.find()
    assert found is not None
    assert set(found.addresses) == set(blas.ROUTINES)
    assert found.integer_bits in (32, 64)
    assert found.kind in found.describe()
    assert blas.find(found.library) == found if found.kind != "fortran32" else True
    published = blas.find("scipy")
    assert published is not None
    assert published.kind == "fortran32"
