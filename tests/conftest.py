"""Every test runs on a configuration and a cache of its own, whatever the user's are."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before theano is imported: no rc file, and a cache that goes away with the session. What the
# caller puts into THEANO_FLAGS comes last and wins, so `THEANO_FLAGS=device=… make test` works.
_CACHE = tempfile.mkdtemp(prefix="theano-tests-")
os.environ["THEANORC"] = os.devnull
os.environ["THEANO_FLAGS"] = ",".join(
    filter(None, (f"base_compiledir={_CACHE}", os.environ.get("THEANO_FLAGS", "")))
)
os.environ.setdefault("MPLBACKEND", "Agg")

sys.path.insert(0, str(Path(__file__).parent))  # builders.py, which several folders use

from hypothesis import settings  # noqa: E402

from theano.core.config import config  # noqa: E402

settings.register_profile("theano", deadline=None, print_blob=True)
settings.load_profile("theano")


def pytest_unconfigure() -> None:
    shutil.rmtree(_CACHE, ignore_errors=True)


@pytest.fixture(autouse=True)
def _flags_stay_as_they_were() -> Iterator[None]:
    """A test that sets flags does not change the next one."""
    before = config.snapshot()
    yield
    config.restore(before)


@pytest.fixture(scope="module")
def device() -> Any:
    """An OpenCL device; tests that ask for it are skipped where none works."""
    pytest.importorskip("pyopencl", reason="the extra theano[opencl] is not installed")
    from theano.backends.opencl.device import DeviceMissing, first_working

    try:
        return first_working()
    except DeviceMissing as error:
        pytest.skip(str(error))
