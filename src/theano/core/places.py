"""Where things lie: cache folders, the CUDA toolkit. Found when asked for; nothing is created.

Modules that only these searches need are imported inside them: `import theano` stays quick.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theano.core.config import Config

COMPILEDIR_FORMAT = (
    "compiledir_%(short_platform)s-%(processor)s-%(python_version)s-%(python_bitwidth)s"
)


def _version(distribution: str) -> str:
    """The installed version of a distribution, or 'unknown'."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


class _Words(dict[str, str]):
    """The words of `format_values`; versions are looked up (which is slow) when they are used."""

    def __missing__(self, name: str) -> str:
        if name not in _DISTRIBUTIONS:
            raise KeyError(name)
        self[name] = found = _version(_DISTRIBUTIONS[name])
        return found


_DISTRIBUTIONS = {"theano_version": "theano", "numpy_version": "numpy"}


@cache
def format_values() -> dict[str, str]:
    """The words that `compiledir_format` may use, with their values on this machine.

    Those of `_DISTRIBUTIONS` are added when they are asked for.
    """
    import platform

    uname = platform.uname()
    # The patch level of a kernel says nothing about the code that runs on it.
    release = ".".join(uname.release.split("-")[0].split(".")[:2])
    return _Words({
        "platform": f"{uname.system}-{uname.release}-{uname.machine}",
        "short_platform": f"{uname.system}-{release}-{uname.machine}",
        "processor": uname.machine,
        "python_version": platform.python_version(),
        "python_bitwidth": "64" if sys.maxsize > 2**32 else "32",
        "python_int_bitwidth": "64" if sys.maxsize > 2**32 else "32",
        "gxx_version": "none",
        "hostname": uname.node,
    })  # fmt: skip


def base_compiledir(config: Config) -> str:
    """The folder of all caches: ~/.theano, or %LOCALAPPDATA%\\Theano on Windows."""
    local = os.environ.get("LOCALAPPDATA")
    if sys.platform == "win32" and local:
        return os.path.join(local, "Theano")
    return os.path.join(os.path.expanduser("~"), ".theano")


def compiledir(config: Config) -> str:
    """The cache folder of this platform and Python, `base_compiledir/compiledir_format`.

    Raises:
        ValueError: the format uses a word that does not exist.
    """
    values = format_values()
    try:
        leaf = config.compiledir_format % values
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"compiledir_format={config.compiledir_format!r} cannot be filled in ({error}); "
            f"it may use {', '.join(f'%({name})s' for name in {**values, **_DISTRIBUTIONS})}."
        ) from None
    return os.path.join(expand(config.base_compiledir), leaf)


def expand(path: str) -> str:
    """The path with ~ and environment variables filled in, absolute."""
    return os.path.abspath(os.path.expandvars(os.path.expanduser(path)))


def kernel_cache(config: Config) -> str:
    """The folder of compiled device kernels."""
    return os.path.join(config.compiledir, "gpuarray_kernels")


def cuda_root(config: Config) -> str:
    """The CUDA toolkit: $CUDA_ROOT, $CUDA_PATH, or the folder above nvcc's; '' without one."""
    for name in ("CUDA_ROOT", "CUDA_PATH"):
        if os.environ.get(name):
            return os.environ[name]
    import shutil

    nvcc = shutil.which("nvcc")
    return os.path.dirname(os.path.dirname(nvcc)) if nvcc else ""


def cuda_include(config: Config) -> str:
    """The toolkit's headers."""
    return os.path.join(config.cuda.root, "include") if config.cuda.root else ""


def dnn_base(config: Config) -> str:
    """The toolkit, where cuDNN is installed into it."""
    header = os.path.join(config.cuda.root, "include", "cudnn.h")
    return config.cuda.root if config.cuda.root and os.path.exists(header) else ""


def dnn_include(config: Config) -> str:
    """cuDNN's headers."""
    return os.path.join(config.dnn.base_path, "include") if config.dnn.base_path else ""


def dnn_library(config: Config) -> str:
    """The first of cuDNN's usual library folders that exists."""
    base = config.dnn.base_path
    for leaf in ("lib64", "lib", os.path.join("lib", "x64")):
        path = os.path.join(base, leaf)
        if base and os.path.isdir(path):
            return path
    return ""


def dnn_bin(config: Config) -> str:
    """Where cuDNN is loaded from: its libraries, or its bin folder on Windows."""
    if sys.platform == "win32" and config.dnn.base_path:
        return os.path.join(config.dnn.base_path, "bin")
    path: str = config.dnn.library_path
    return path
