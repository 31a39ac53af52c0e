"""The flag table, second part: devices, their memory and their libraries."""

from __future__ import annotations

from typing import Final

from theano.core import places
from theano.core.devices import parse_contexts, parse_device
from theano.core.flag_rows import ACTIONS, no, text, word, yes
from theano.core.flags import Computed, Flag

_RUNTIME: Final = (
    *("guess_once", "guess_on_shape_change"),
    *("time_once", "time_on_shape_change"),
)
_FORWARD: Final = (
    *("small", "none", "large", "fft", "fft_tiling"),
    *("winograd", "winograd_non_fused", *_RUNTIME),
)
_BACKWARD_DATA: Final = (
    *("none", "deterministic", "fft", "fft_tiling"),
    *("winograd", "winograd_non_fused", *_RUNTIME),
)
_BACKWARD_FILTER: Final = (
    *("none", "deterministic", "fft", "small"),
    *("winograd_non_fused", "fft_tiling", *_RUNTIME),
)
_PRECISION: Final = ("as_input_f32", "as_input", "float16", "float32", "float64")


def _no_sync(value: bool) -> None:
    if value:
        raise ValueError("gpuarray.sync was removed; leave it False.")


def _memory(value: float) -> None:
    if value != value:
        raise ValueError("a fraction up to 1, or a number of megabytes, is needed.")


def _empty_or_device(value: str) -> None:
    if value:
        parse_device(value)


DEVICE: Final = (
    text(
        name="device",
        default="cpu",
        read_only=True,
        check=parse_device,
        doc="Where shared variables and computation go: cpu, cuda, cuda0 …, or opencl0:0 "
        "(platform:device).",
    ),
    text(
        name="init_gpu_device",
        read_only=True,
        check=_empty_or_device,
        doc="Initialise this device without moving anything to it (with device=cpu).",
    ),
    no(name="force_device", read_only=True, doc="Raise when the device is not usable."),
    word(
        "gpu.fallback",
        ("warn", "raise", "silent"),
        "What to do when the device is not there: say so and use the CPU, stop, or say nothing.",
    ),
    text(
        name="contexts",
        read_only=True,
        check=parse_contexts,
        doc="Names of several devices: dev0->cuda0;dev1->cuda1.",
    ),
    yes(name="print_active_device", read_only=True, doc="Say on stderr which device is used."),
    word("assert_no_cpu_op", ACTIONS, "What to do when a device function keeps work on the CPU."),
    no(
        name="gpuarray.sync",
        read_only=True,
        check=_no_sync,
        status="accepted",
        doc="Removed: True is refused.",
    ),
    Flag(
        "gpuarray.preallocate",
        0.0,
        "float",
        "Device memory taken at start: below 0 no cache, 0 cache only, up to 1 a fraction, "
        "above 1 megabytes.",
        read_only=True,
        check=_memory,
    ),
    word(
        "gpuarray.sched",
        ("default", "multi", "single"),
        "How the host waits for the device.",
        affects_code=True,
        status="accepted",
    ),
    yes(name="gpuarray.single_stream", doc="One stream per context.", status="accepted"),
    text(
        name="gpuarray.cache_path",
        kind="path",
        default=Computed(places.kernel_cache, "compiledir/gpuarray_kernels"),
        read_only=True,
        doc="Folder of compiled device kernels.",
    ),
    yes(name="gpu.local_elemwise_fusion", doc="Fuse elementwise operations on devices."),
    yes(name="gpuelemwise.sync", doc="Wait for each device kernel.", status="accepted"),
    text(name="cuda.arch", doc="CUDA architecture to compile for; '' asks the device."),
    text(
        name="cuda.root",
        default=Computed(places.cuda_root, "$CUDA_ROOT, $CUDA_PATH, or nvcc's folder"),
        doc="Folder of the CUDA toolkit; not needed with the CUDA wheels.",
    ),
    text(
        name="cuda.include_path",
        default=Computed(places.cuda_include, "cuda.root/include"),
        doc="CUDA headers.",
    ),
    text(name="opencl.platform", doc="Prefer the OpenCL platform whose name contains this text."),
)

DNN: Final = (
    word(
        "dnn.enabled", ("auto", "True", "False", "no_check"), "Use cuDNN: if found, always, never."
    ),
    word("dnn.conv.algo_fwd", _FORWARD, "Algorithm of forward convolution."),
    word("dnn.conv.algo_bwd_data", _BACKWARD_DATA, "Algorithm of the gradient of the input."),
    word("dnn.conv.algo_bwd_filter", _BACKWARD_FILTER, "Algorithm of the gradient of the filters."),
    word("dnn.conv.precision", _PRECISION, "Precision that convolutions accumulate in."),
    text(
        name="dnn.base_path",
        default=Computed(places.dnn_base, "cuda.root, if cuDNN is there"),
        doc="Folder of cuDNN.",
    ),
    text(
        name="dnn.include_path",
        default=Computed(places.dnn_include, "dnn.base_path/include"),
        doc="cuDNN headers.",
    ),
    text(
        name="dnn.library_path",
        default=Computed(places.dnn_library, "dnn.base_path/lib64"),
        doc="cuDNN libraries.",
    ),
    text(
        name="dnn.bin_path",
        default=Computed(places.dnn_bin, "dnn.library_path"),
        doc="Where cuDNN is loaded from.",
    ),
)

ROWS: Final = DEVICE + DNN
