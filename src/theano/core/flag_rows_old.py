"""The flag table, last part: names of old set-ups, accepted so that old files keep working."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from theano.core.flags import Computed, Flag

if TYPE_CHECKING:
    from theano.core.config import Config

_RELEASES: Final = (
    *("0.9", "None", "all"),
    *("0.3", "0.4", "0.4.1", "0.5", "0.6", "0.7", "0.8", "0.8.1", "0.8.2"),
    *("0.10", "1.0", "1.0.1", "1.0.2", "1.0.3", "1.0.4", "1.0.5"),
)


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _warns_from(fixed_in: str) -> Computed:
    """The default of a warn.* flag: whether the bug was fixed after `warn.ignore_bug_before`."""

    def find(config: Config) -> bool:
        before: str = config.warn.ignore_bug_before
        if before in ("None", "all"):
            return before == "None"
        return _release(before) < _release(fixed_in)

    return Computed(find, "from warn.ignore_bug_before")


def _must_be(value: Any, why: str) -> Callable[[Any], None]:
    def check(given: Any) -> None:
        if given != value:
            raise ValueError(why)

    return check


_NOTICES: Final = (
    ("argmax_pushdown_bug", "0.3"),
    ("gpusum_01_011_0111_bug", "0.3"),
    ("sum_sum_bug", "0.3"),
    ("sum_div_dimshuffle_bug", "0.3"),
    ("identify_1pexp_bug", "0.4.1"),
    ("subtensor_merge_bug", "0.5"),
    ("gpu_set_subtensor1", "0.6"),
    ("signal_conv2d_interface", "0.7"),
    ("reduce_join", "0.7"),
    ("inc_set_subtensor1", "0.7"),
    ("round", "0.9"),
    ("inc_subtensor1_opt", "0.10"),
)
WARN: Final = (
    Flag(
        "warn.ignore_bug_before",
        "0.9",
        "enum",
        "No notices about bugs that were fixed before this release of the first Theano.",
        _RELEASES,
        read_only=True,
        status="accepted",
    ),
    Flag("warn.vm_gc_bug", False, "bool", "Notice about an old bug.", status="accepted"),
    *(
        Flag(
            f"warn.{name}",
            _warns_from(fixed_in),
            "bool",
            f"Notice about a bug fixed in {fixed_in}.",
            status="accepted",
        )
        for name, fixed_in in _NOTICES
    ),
)

_DNN_RENAMED: Final = "it was removed: use dnn.conv.algo_fwd, algo_bwd_data, algo_bwd_filter."
REFUSED: Final = (
    *(
        Flag(
            f"dnn.conv.{name}",
            "",
            "text",
            "Removed: any value is refused.",
            read_only=True,
            status="accepted",
            check=_must_be("", _DNN_RENAMED),
        )
        for name in ("workmem", "workmem_bwd", "algo_bwd")
    ),
    Flag(
        "experimental.local_alloc_elemwise",
        True,
        "bool",
        "Always on: False is refused.",
        status="accepted",
        check=_must_be(True, "it is always on; exclude the rewrite local_alloc_elemwise instead."),
    ),
)

# name, default, kind, meaning then
_ACCEPTED: Final = (
    ("cxx", "", "text", "C++ compiler: none is needed any more."),
    ("experimental.unpickle_gpu_on_cpu", False, "bool", "Always done now."),
    ("magma.include_path", "", "text", "MAGMA headers."),
    ("magma.library_path", "", "text", "MAGMA library."),
    ("magma.enabled", False, "bool", "MAGMA linear algebra."),
    ("tensor.insert_inplace_optimizer_validate_nb", -1, "int", "In-place validation batch."),
)
ACCEPTED: Final = tuple(
    Flag(name, default, kind, doc, status="accepted") for name, default, kind, doc in _ACCEPTED
)
ACCEPTED_FIXED: Final = (
    Flag("ctc.root", "", "text", "Folder of warp-ctc.", read_only=True, status="accepted"),
)

# Names of the C compiler and of older back-ends, found in many ~/.theanorc files.
_OBSOLETE: Final = (
    ("gcc.cxxflags", "", "text", "C++ compiler flags."),
    ("nocleanup", False, "bool", "Keep sources that failed to compile."),
    ("lib.amdlibm", False, "bool", "AMD's math library."),
    ("lib.cnmem", 0.0, "float", "Memory pool of the first GPU back-end: gpuarray.preallocate."),
    ("nvcc.fastmath", False, "bool", "Fast math of nvcc: jit.fastmath."),
    ("nvcc.flags", "", "text", "Flags of nvcc."),
    ("nvcc.compiler_bindir", "", "text", "Host compiler of nvcc."),
    ("cmodule.warn_no_version", False, "bool", "Notice about unversioned modules."),
    ("cmodule.remove_gxx_opt", False, "bool", "Drop optimisation flags."),
    ("cmodule.compilation_warning", False, "bool", "Show compiler warnings."),
    ("pycuda.init", False, "bool", "Initialise PyCUDA."),
    ("cmodule.debug", False, "bool", "Define DEBUG."),
    ("blas.ldflags", "", "text", "BLAS link flags: BLAS is found at run time now."),
    ("blas.check_openmp", True, "bool", "Check MKL's threading layer."),
)
_CODE_KEYS: Final = ("cmodule.remove_gxx_opt", "cmodule.debug")
_OBSOLETE_FIXED: Final = (
    ("cmodule.preload_cache", False, "bool", "Read the module cache at start."),
    ("compile.wait", 5, "int", "Seconds between tries to lock the cache: it has no lock now."),
)
OBSOLETE: Final = (
    *(
        Flag(name, default, kind, doc, status="obsolete", affects_code=name in _CODE_KEYS)
        for name, default, kind, doc in _OBSOLETE
    ),
    *(
        Flag(name, default, kind, doc, status="obsolete", read_only=True)
        for name, default, kind, doc in _OBSOLETE_FIXED
    ),
    Flag(
        "compile.timeout",
        Computed(lambda config: 24 * config.compile.wait, "24 * compile.wait"),
        "int",
        "Age in seconds at which a lock is broken.",
        status="obsolete",
        read_only=True,
    ),
)

ROWS: Final = WARN + REFUSED + ACCEPTED + ACCEPTED_FIXED + OBSOLETE
