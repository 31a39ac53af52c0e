"""The flag table, first half: what is computed, how it is compiled, what is reported.

Rows for devices and for old names are in `flag_rows_device.py` and `flag_rows_old.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from theano.core import places, threads
from theano.core.flags import Computed, Flag

ACTIONS: Final = ("ignore", "warn", "raise", "pdb")
TEST_VALUES: Final = ("off", *ACTIONS)
_SETERR: Final = ("ignore", "warn", "raise", "call", "print", "log", "None")
_SETERR_KIND: Final = ("None", *_SETERR[:-1])
_LEVELS: Final = (
    *("o4", "o3", "o2", "o1", "unsafe"),
    *("fast_run", "fast_compile", "merge", "None"),
)
_LINKERS: Final = ("cvm", "c|py", "py", "c", "c|py_nogc", "vm", "vm_nogc", "cvm_nogc")
_MODES: Final = ("Mode", "DebugMode", "FAST_RUN", "NanGuardMode", "FAST_COMPILE", "DEBUG_MODE")

yes = partial(Flag, default=True, kind="bool")
no = partial(Flag, default=False, kind="bool")
text = partial(Flag, default="", kind="text")


def word(name: str, choices: tuple[str, ...], doc: str, **more: Any) -> Flag:
    """A flag that takes one of a few words, by default the first of them."""
    return Flag(name, choices[0], "enum", doc, choices, **more)


def whole(name: str, default: Any, doc: str, **more: Any) -> Flag:
    """A flag that takes an integer."""
    return Flag(name, default, "int", doc, **more)


def _not_negative(value: float) -> None:
    if not value >= 0:
        raise ValueError("it must not be negative.")


def _frames(value: int) -> None:
    if value < -1:
        raise ValueError("it must be -1 (all), 0 (none), or a number of stack frames.")


TYPES: Final = (
    Flag(
        "floatX",
        "float64",
        "floatX",
        "Default float dtype of scalar(), matrix() …, zeros, ones, and casts of Python floats.",
        ("float64", "float32", "float16"),
        affects_code=True,
    ),
    word(
        "intX",
        ("int64", "int32"),
        "Default dtype of integers that have no other.",
        status="accepted",
    ),
    word("warn_float64", ACTIONS, "What to do when a float64 variable is created."),
    word(
        "cast_policy",
        ("custom", "numpy+floatX", "numpy"),
        "Dtype of Python literals: the smallest that holds them, floatX, or NumPy's.",
        affects_code=True,
    ),
    word(
        "int_division",
        ("int", "raise", "floatX"),
        "Meaning of __div__ on integers; the operator / of Python 3 always gives floatX.",
        status="accepted",
    ),
    yes(name="pickle_test_value", doc="Keep test values in pickles."),
)

COMPILE: Final = (
    Flag("mode", "Mode", "mode", "Default compilation mode, a name or a Mode object.", _MODES),
    word("linker", _LINKERS, "Default linker of mode Mode: py interprets, all others compile."),
    word("optimizer", _LEVELS, "Default level of rewriting (o4 is fast_run, o1 fast_compile)."),
    text(name="optimizer_excluding", doc="Rewrites or tags to leave out, a:b:c.", read_only=True),
    text(name="optimizer_including", doc="Rewrites or tags to add, a:b:c.", read_only=True),
    text(name="optimizer_requiring", doc="Tags that rewrites must carry, a:b:c.", read_only=True),
    no(name="optimizer_verbose", doc="Print every rewrite that is applied."),
    word(
        "on_opt_error",
        ("warn", "raise", "pdb", "ignore"),
        "When a rewrite raises: report and skip it, or stop.",
    ),
    word("on_unused_input", ("raise", "warn", "ignore"), "Default of function(on_unused_input=)."),
    word("on_shape_error", ("warn", "raise"), "What to do when infer_shape of an op fails."),
    word(
        "check_stack_trace",
        ("off", "log", "warn", "raise"),
        "Check that rewrites keep the place where the user wrote a variable.",
        status="accepted",
    ),
    word("cycle_detection", ("regular", "fast"), "Kept for old scripts.", status="accepted"),
    Flag(
        "optdb.position_cutoff",
        float("inf"),
        "float",
        "Stop the rewriting pipeline at this position.",
        status="accepted",
    ),
    Flag(
        "optdb.max_use_ratio",
        8.0,
        "float",
        "Rewrites allowed per node of the graph before the engine warns and stops.",
        check=_not_negative,
    ),
    whole("metaopt.verbose", 0, "Verbosity of timing alternatives.", status="accepted"),
    text(name="metaopt.optimizer_excluding", doc="Alternatives to leave out.", status="accepted"),
    text(name="metaopt.optimizer_including", doc="Alternatives to add.", status="accepted"),
    yes(name="tensor.local_elemwise_fusion", doc="Fuse elementwise operations into one kernel."),
    yes(name="check_input", doc="Check inputs of compiled code.", affects_code=True),
    yes(
        name="experimental.local_alloc_elemwise_assert",
        doc="Keep the shape check when an Alloc is removed.",
        status="accepted",
    ),
    no(name="cache_optimizations", doc="Kept for old scripts: see jit.cache.", status="accepted"),
    yes(name="unpickle_function", doc="False: pickled functions load as None."),
    no(name="reoptimize_unpickled_function", doc="Rewrite the graph again when unpickling."),
    yes(name="jit.cache", doc="Keep compiled code on disk, in compiledir."),
    yes(name="jit.tiers", doc="Run quickly made code at first, and make better code meanwhile."),
    Flag(
        "jit.tiers_delay", 0.3, "float",
        "Seconds without a compilation after which better code is made in the background.",
        check=_not_negative,
    ),
    no(name="jit.fastmath", doc="Let the compiler reorder floating-point sums.", affects_code=True),
    whole(
        "jit.threads", 0, "Threads of compiled functions; 0 takes OMP_NUM_THREADS or all cores.",
        check=_not_negative,
    ),
    whole("cmodule.age_thresh_use", 2_073_600, "Seconds after which unused cached code is removed.",
          read_only=True, check=_not_negative),
    text(name="compiledir_format", default=places.COMPILEDIR_FORMAT, read_only=True,
         doc="Name of the cache folder, with %(platform)s and the like filled in."),
    text(name="base_compiledir", kind="path", read_only=True, doc="Folder of all caches.",
         default=Computed(places.base_compiledir, "~/.theano")),
    text(name="compiledir", kind="path", read_only=True, doc="Folder of this platform's cache.",
         default=Computed(places.compiledir, "base_compiledir/compiledir_format")),
)  # fmt: skip

RUN: Final = (
    yes(name="allow_gc", doc="Free intermediate results during a call."),
    Flag("vm.lazy", None, "optional bool", "Force lazy evaluation on or off.",
         (None, True, False), status="accepted"),
    Flag("openmp", Computed(threads.openmp, "True, or False if OMP_NUM_THREADS=1"), "bool",
         "Use several threads in one function; OMP_NUM_THREADS=1 turns it off."),
    whole("openmp_elemwise_minsize", 200_000, "Elements from which a loop is split over threads."),
    no(name="scan.allow_gc", doc="Free intermediates inside each step of a loop."),
    yes(name="scan.allow_output_prealloc", doc="Write results of a step where they stay."),
    no(name="scan.debug", doc="Kept for old scripts.", status="accepted"),
    yes(name="conv.winograd",
        doc="Convolve 3x3 kernels by Winograd's method where it is faster: other rounding errors, "
            "and infinities may give NaN. False: always by the definition."),
    no(name="conv.assert_shape", doc="Check given input and filter shapes when a function runs."),
    word("deterministic", ("default", "more"), "Prefer implementations that repeat bit by bit."),
    word("rng.impl", ("mrg", "philox"), "Generator behind random streams.", status="accepted"),
)  # fmt: skip

DEBUG: Final = (
    whole("traceback.limit", 8, "Stack frames kept for a variable; -1 keeps all.", check=_frames),
    whole("traceback.compile_limit", 0, "The same while compiling.", check=_frames),
    word("exception_verbosity", ("low", "high"), "high adds the graph and storage to errors."),
    word("compute_test_value", TEST_VALUES, "Run each op on test values when it is applied."),
    word("compute_test_value_opt", TEST_VALUES, "The same inside rewrites."),
    no(name="print_test_value", doc="Show test values in the repr of variables."),
    yes(name="NanGuardMode.nan_is_error", doc="NanGuardMode refuses nan."),
    yes(name="NanGuardMode.inf_is_error", doc="NanGuardMode refuses infinities."),
    yes(name="NanGuardMode.big_is_error", doc="NanGuardMode refuses magnitudes above 1e10."),
    word("NanGuardMode.action", ("raise", "warn", "pdb"), "What NanGuardMode does on finding one."),
    whole("DebugMode.patience", 10, "Times DebugMode repeats rewriting to find instability."),
    yes(name="DebugMode.check_c", doc="DebugMode runs compiled code."),
    yes(name="DebugMode.check_py", doc="DebugMode runs the NumPy reference."),
    yes(name="DebugMode.check_finite", doc="DebugMode refuses nan and infinities."),
    Flag("DebugMode.check_strides", 0, "int enum", "Compare strides: 1 warn, 2 raise.", (0, 1, 2)),
    yes(name="DebugMode.warn_input_not_reused", doc="Warn when an in-place op allocates."),
    text(name="DebugMode.check_preallocated_output",
         doc="Output buffers to try: initial, previous, c_contiguous, f_contiguous, strided, "
             "wrong_size, ALL, joined by ':'."),
    whole("DebugMode.check_preallocated_output_ndim", 4, "Dimensions whose strides are varied."),
    Flag("tensor.cmp_sloppy", 0, "int enum", "Loosen comparisons.", (0, 1, 2), read_only=True),
    Flag("unittests.rseed", 666, "seed", "Seed of tests.", status="accepted"),
    word("numpy.seterr_all", _SETERR, "np.seterr(all=); acts only when set.", read_only=True),
    *(
        word(f"numpy.seterr_{kind}", _SETERR_KIND, f"np.seterr({kind}=).", read_only=True)
        for kind in ("divide", "over", "under", "invalid")
    ),
)  # fmt: skip

PROFILE: Final = (
    no(name="profile", doc="Profile all functions and print at exit."),
    no(name="profile_optimizer", doc="Profile rewriting too (needs profile)."),
    no(name="profile_memory", doc="Profile memory too (needs profile)."),
    no(name="print_global_stats", doc="Print total times at exit."),
    yes(name="profiling.time_thunks", doc="Time each step."),
    whole("profiling.n_apply", 20, "Rows printed per apply.", check=_not_negative),
    whole("profiling.n_ops", 20, "Rows printed per op.", check=_not_negative),
    whole("profiling.output_line_width", 512, "Columns printed.", check=_not_negative),
    whole("profiling.min_memory_size", 1024, "Bytes below which a node is not listed.",
          check=_not_negative),
    no(name="profiling.min_peak_memory", doc="Find the order with the least peak memory."),
    text(name="profiling.destination", default="stderr", doc="stderr, stdout, or a file name."),
    no(name="profiling.debugprint", doc="Print the graph of profiled functions."),
    no(name="profiling.ignore_first_call", doc="Leave the first call out of profiles."),
)  # fmt: skip

ROWS: Final = TYPES + COMPILE + RUN + DEBUG + PROFILE
