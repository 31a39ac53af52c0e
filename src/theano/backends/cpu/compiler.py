"""LLVM IR text in, linked native code out; object code is kept in the disk cache.

LLVM is loaded at the first use: by `llvm.py` where that is enough, else by llvmlite. Modules name
everything they need from outside as external symbols, so object code has no addresses in it and
serves every process of the same machine type.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import sys
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from theano.backends.cpu import elf, llvm
from theano.backends.cpu.machine import HostFeatures, recalled, remember
from theano.core.record import dataclass
from theano.runtime import support
from theano.runtime.pycfunction import redirect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from theano.runtime.cache import ObjectCache

# Part of every cache key: raise it when generated code changes meaning for the same IR text.
CODE_VERSION: Final = 1
CODEGEN_LEVEL: Final = 1
OLDEST_LLVM: Final = 20  # before it, pointers could have types
# In IR text: the part below is run rarely, or is long code that calls the rest.
COLD: Final = "; cold code"
_PARTS: Final = b"THPARTS1"  # before the object code of several parts: their sizes and themselves

_lock = threading.RLock()
# Held by work in the background, so that no fork happens in the middle of it; taken before _lock.
background = threading.RLock()
# Held while code of a module is replaced, or a built-in is made from an address in it.
swapping = threading.Lock()
_serial = itertools.count()
_generators: list[_Generator] = []
_engines: list[_Engine] = []
_guarded: list[bool] = []
_linked: weakref.WeakValueDictionary[str, NativeModule] = weakref.WeakValueDictionary()


class CompilerUnavailableError(RuntimeError):
    """LLVM cannot be used on this machine; the message says why."""


class NativeModule:
    """Linked code: ``addresses[name]`` is valid as long as this object lives.

    Whoever hands out an address to Python must keep the module alive, for example as the
    ``self`` of a built-in function. ``key`` names the good code of the same text on disk,
    ``level`` is 0 for code that was generated quickly, and ``note`` says why it stays so.
    """

    __slots__ = (
        "__weakref__", "_better", "_by_llvm", "_tracker", "addresses", "from_cache", "key", "level",
        "note", "object_size",
    )  # fmt: skip

    def __init__(
        self, addresses: Mapping[str, int], tracker: object, key: str, from_cache: bool, size: int,
        by_llvm: bool,
    ) -> None:  # fmt: skip
        self.addresses: Mapping[str, int] = addresses
        self.key = key
        self.from_cache = from_cache
        self.object_size = size
        self.level = CODEGEN_LEVEL
        self.note = ""
        self._better: NativeModule | None = None
        self._by_llvm = by_llvm
        self._tracker: object = tracker

    def __del__(self) -> None:
        if self._by_llvm:
            # Unloading is LLVM work as well: no fork may happen in the middle of it.
            with _lock:
                self._tracker = None

    def replace(self, better: NativeModule) -> None:
        """Let built-ins of this module, and all that are made from now on, run ``better``.

        This module's own code stays, for calls that are in it.
        """
        with swapping:
            old, self.addresses = self.addresses, better.addresses
            self._better, self.level = better, better.level
            for name, address in old.items():
                redirect(address, better.addresses[name])

    def __getitem__(self, name: str) -> int:
        """Return the address of the exported symbol ``name``."""
        return self.addresses[name]


@dataclass(frozen=True, slots=True)
class _Generator:
    """What makes object code of a text, for every compilation of this process."""

    host: HostFeatures
    emit: Callable[[str, bool], bytes]  # a text, whether quickly


@dataclass(frozen=True, slots=True)
class _Engine:
    """llvmlite objects, for what a `_Generator` cannot do."""

    binding: Any
    machine: Any
    quick: Any  # for cold code
    linker: Any  # makes LLVM's linker at its first call
    host: HostFeatures


def available() -> tuple[bool, str]:
    """Return (whether native code can be made here, the reason if not)."""
    try:
        _engine()
    except CompilerUnavailableError as error:
        return False, str(error)
    return True, ""


def host_features() -> HostFeatures:
    """Return the processor description; raises `CompilerUnavailableError` without LLVM.

    LLVM is only asked (and imported) where an earlier process did not store its answer.
    """
    found = None if _generators else recalled()
    return _generator().host if found is None else found


def _generator() -> _Generator:
    if not _generators:
        with _lock:
            if not _generators:
                _generators.append(_start_generator())
    return _generators[0]


def _start_generator() -> _Generator:
    try:
        library = llvm.open_library()
    except (ImportError, OSError) as error:
        raise _cannot_import(error) from error
    except AttributeError:  # a function that is not there
        library = None
    if library is None:
        engine = _engine()
        return _Generator(engine.host, functools.partial(_emit_by_engine, engine))
    try:
        said = library.host()
        machines = [library.machine(said, level) for level in (CODEGEN_LEVEL, 0)]
    except RuntimeError as error:
        raise CompilerUnavailableError(f"LLVM cannot run code here: {error}") from error
    layout = library.data_layout(machines[0])
    host = _host(said.triple, said.cpu, said.features, layout, said.version)
    _guard_fork()
    return _Generator(
        host, lambda text, quick: library.object_code(machines[quick], _headed(host, text))
    )


def _cannot_import(error: Exception) -> CompilerUnavailableError:
    return CompilerUnavailableError(f"llvmlite cannot be imported: {error}")


@contextmanager
def _llvm() -> Iterator[_Engine]:
    engine = _engine()
    with _lock:
        yield engine


def _engine() -> _Engine:
    if not _engines:
        with _lock:
            if not _engines:
                _engines.append(_start_engine())
    return _engines[0]


def _start_engine() -> _Engine:
    try:
        from llvmlite import binding
    except (ImportError, OSError) as error:
        raise _cannot_import(error) from error
    if binding.llvm_version_info[0] < OLDEST_LLVM:
        version = ".".join(map(str, binding.llvm_version_info))
        raise CompilerUnavailableError(
            f"llvmlite's LLVM is {version}, too old for the texts that are written here; "
            "`pip install 'llvmlite>=0.45'`"
        )
    try:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        binding.check_jit_execution()
        engine = _make_engine(binding)
    except (RuntimeError, OSError, AttributeError) as error:
        raise CompilerUnavailableError(f"LLVM cannot run code here: {error}") from error
    _guard_fork()
    return engine


def _guard_fork() -> None:
    """Let forks wait for LLVM: a child would inherit its locks in the locked state for ever.

    llvmlite's own lock is taken too, since objects of other users are disposed of at any time.
    """
    if _guarded or not hasattr(os, "register_at_fork"):
        return
    _guarded.append(True)
    taken: list[Any] = []

    def before() -> None:
        background.acquire()
        _lock.acquire()
        inner = sys.modules.get("llvmlite.binding.ffi")
        lock = getattr(getattr(inner, "lib", None), "_lock", None) or threading.RLock()
        lock.__enter__()
        taken.append(lock)

    def after() -> None:
        taken.pop().__exit__(None, None, None)
        _lock.release()
        background.release()

    os.register_at_fork(before=before, after_in_parent=after, after_in_child=after)


def _make_engine(binding: Any) -> _Engine:
    triple = binding.get_process_triple()
    cpu = binding.get_host_cpu_name()
    features = binding.get_host_cpu_features().flatten()

    def target_machine(level: int = CODEGEN_LEVEL) -> Any:
        return binding.Target.from_triple(triple).create_target_machine(
            cpu=cpu, features=features, opt=level, reloc="pic", codemodel="small", jit=True,
        )  # fmt: skip

    @functools.cache
    def linker() -> Any:
        use_jit_link = "windows" not in triple
        made = binding.create_lljit_compiler(target_machine(), use_jit_link=use_jit_link)
        support.leak(made)
        return made

    target = target_machine()
    version = ".".join(map(str, binding.llvm_version_info))
    host = _host(triple, cpu, features, str(target.target_data), version)
    return _Engine(binding, target, target_machine(0), linker, host)


def _host(triple: str, cpu: str, features: str, layout: str, version: str) -> HostFeatures:
    """The processor that LLVM describes; also stored for processes to come."""
    import llvmlite

    vector_bytes, registers = _vector_unit(triple, set(features.split(",")))
    found = HostFeatures(
        triple=triple, cpu=cpu, features=features, data_layout=layout, vector_bytes=vector_bytes,
        vector_registers=registers, llvm_version=version, llvmlite_version=llvmlite.__version__,
    )  # fmt: skip
    remember(found)
    return found


def _vector_unit(triple: str, features: set[str]) -> tuple[int, int]:
    """Return (bytes of a vector register, number of vector registers)."""
    if triple.startswith(("aarch64", "arm64")):
        return 16, 32
    if {"+avx512f", "+avx512vl", "+avx512dq", "+avx512bw"} <= features:
        return 64, 32
    return (32, 16) if "+avx2" in features else (16, 16)


def module_key(ir_text: str, optimize: bool = False) -> str:
    """Return the cache key of ``ir_text`` on this machine with this compiler."""
    host = host_features()
    parts = (
        ir_text, host.triple, host.cpu, host.features, host.llvm_version, host.llvmlite_version,
        f"code{CODE_VERSION} opt{CODEGEN_LEVEL} passes{int(optimize)} pic small",
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def generate(ir_text: str, quick: bool = False, verify: bool = False) -> bytes:
    """Return the object code of ``ir_text``; ``quick`` takes a fifth of the time (level 0)."""
    return _generate(ir_text, optimize=False, verify=verify, quick=quick)


def compile_module(
    ir_text: str, exports: Sequence[str], imports: Mapping[str, int], *,
    cache: ObjectCache | None = None, optimize: bool = False, verify: bool = False,
) -> NativeModule:  # fmt: skip
    """Return the linked module of ``ir_text``.

    Parameters
    ----------
    ir_text
        LLVM IR without target triple and data layout; these are added. What follows a line
        `COLD` is a module of its own that is compiled quickly rather than well; it may use the
        symbols of the part before, but not the other way round.
    exports
        Symbols whose addresses are wanted.
    imports
        Address of every external symbol the module uses; the C library is known besides.
    cache
        Disk cache of object code; without it only modules alive in this process are reused.
    optimize
        Run LLVM's O2 pipeline. Kernels with explicit vectors do not need it.
    verify
        Check the IR first (tests); broken IR aborts the process otherwise.

    Raises
    ------
    CompilerUnavailableError
        llvmlite is missing or may not make executable memory.
    RuntimeError
        The text is not valid IR, or a symbol is missing; both are mistakes of a code generator.
    """
    key = module_key(ir_text, optimize)
    bound = _bound(key, exports, imports)
    known = _linked.get(bound)
    if known is not None and not verify:
        return known
    stored = cache.get(key) if cache is not None and not verify else None
    module = None if stored is None else link_stored(stored, exports, imports, key)
    if module is None:
        with _lock:
            code = _generate(ir_text, optimize, verify)
            module = link(code, exports, imports, key, from_cache=False)
        if cache is not None:
            cache.put(key, code)
    return keep(bound, module)


def alive(name: str) -> NativeModule | None:
    """Return the linked module that `keep` was told about, if it is still in use."""
    return _linked.get(name)


def keep(name: str, module: NativeModule) -> NativeModule:
    """Let `alive` find ``module`` as long as something uses it; return it."""
    _linked[name] = module
    return module


def _bound(key: str, exports: Sequence[str], imports: Mapping[str, int]) -> str:
    """What identifies linked code: object code and the addresses in it."""
    parts = repr((key, tuple(exports), sorted(imports.items())))
    return hashlib.sha256(parts.encode()).hexdigest()


def forget_calls() -> None:
    """In a forked child: other threads, which might have been in here, are gone."""
    global swapping
    swapping = threading.Lock()


def emit_assembly(ir_text: str, *, optimize: bool = False) -> str:
    """Return the assembly text of ``ir_text`` on this machine (for explain and tests)."""
    with _llvm() as engine:
        return "\n".join(
            (engine.quick if cold else engine.machine).emit_assembly(
                _parse(engine, text, optimize, verify=True)
            )
            for cold, text in _split(ir_text)
        )


def _parse(engine: _Engine, ir_text: str, optimize: bool, verify: bool) -> Any:
    binding = engine.binding
    module = binding.parse_assembly(_headed(engine.host, ir_text))
    if verify:
        module.verify()
    if optimize:
        options = binding.create_pipeline_tuning_options(speed_level=2)
        options.slp_vectorization = False
        builder = binding.create_pass_builder(engine.machine, options)
        builder.getModulePassManager().run(module, builder)
    return module


def _headed(host: HostFeatures, ir_text: str) -> str:
    head = f'target triple = "{host.triple}"\ntarget datalayout = "{host.data_layout}"\n'
    return head + ir_text


def _emit_by_engine(
    engine: _Engine, text: str, quick: bool, optimize: bool = False, verify: bool = False
) -> bytes:
    machine = engine.quick if quick else engine.machine
    made: bytes = machine.emit_object(_parse(engine, text, optimize, verify))
    return made


def _generate(ir_text: str, optimize: bool, verify: bool, quick: bool = False) -> bytes:
    """Object code; that of several parts in one piece."""
    parts = []
    with _lock:
        for cold, text in _split(ir_text):
            if optimize or verify:
                how = (cold or quick, optimize and not cold, verify)
                parts.append(_emit_by_engine(_engine(), text, *how))
            else:
                parts.append(_generator().emit(text, cold or quick))
    if len(parts) == 1:
        return bytes(parts[0])
    sizes = b"".join(len(part).to_bytes(8, "little") for part in parts)
    return b"".join((_PARTS, len(parts).to_bytes(8, "little"), sizes, *parts))


def _split(ir_text: str) -> list[tuple[bool, str]]:
    """The parts of a text that are modules: (whether cold, text)."""
    hot, _, cold = ir_text.partition(f"{COLD}\n")
    found = [(False, hot), (True, cold)]
    return [(is_cold, text) for is_cold, text in found if text.strip()] or [(False, ir_text)]


def _parts(code: bytes) -> list[bytes]:
    """The object files in a piece of object code."""
    if not code.startswith(_PARTS):
        return [code]
    at = len(_PARTS)
    words = [int.from_bytes(code[i : i + 8], "little") for i in range(at, at + 8 * 3, 8)]
    count, at = words[0], at + 8 + 8 * words[0]
    ends = [at + sum(words[1 : 1 + i]) for i in range(count + 1)]
    return [code[low:high] for low, high in itertools.pairwise(ends)]


def link_stored(
    code: bytes, exports: Sequence[str], imports: Mapping[str, int], key: str
) -> NativeModule | None:
    """Link object code from the disk cache; None if it is not what it should be."""
    try:
        return link(code, exports, imports, key, from_cache=True)
    except RuntimeError:
        return None


def link(
    code: bytes, exports: Sequence[str], imports: Mapping[str, int], key: str, *,
    from_cache: bool,
) -> NativeModule:  # fmt: skip
    """Link object code: by ourselves if possible, which needs no LLVM, else with LLVM."""
    by_llvm = False
    try:
        addresses, owner = _link_alone(code, exports, imports)
    except elf.NotLinkable:
        by_llvm = True
        with _llvm() as engine:
            addresses, owner = _link_with_llvm(engine, code, exports, imports)
    return NativeModule(addresses, owner, key, from_cache, len(code), by_llvm)


def _link_alone(
    code: bytes, exports: Sequence[str], imports: Mapping[str, int]
) -> tuple[dict[str, int], object]:
    known, owners = dict(imports), []
    *earlier, last = _parts(code)
    for part in earlier:
        found, owner = elf.load(part, None, known)
        known.update(found)
        owners.append(owner)
    inside = [name for name in exports if name not in known]
    addresses, owner = elf.load(last, inside, known)
    known.update(addresses)
    return {name: known[name] for name in exports}, (owner, *owners)


def _link_with_llvm(
    engine: _Engine, code: bytes, exports: Sequence[str], imports: Mapping[str, int]
) -> tuple[dict[str, int], object]:
    builder = engine.binding.JITLibraryBuilder().add_current_process()
    for part in _parts(code):
        builder.add_object_img(part)
    for name, address in imports.items():
        builder.import_symbol(name, address)
    for name in exports:
        builder.export_symbol(name)
    tracker = builder.link(engine.linker(), f"theano-{next(_serial)}")
    return {name: tracker[name] for name in exports}, tracker
