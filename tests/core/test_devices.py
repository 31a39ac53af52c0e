"""What device= and contexts= accept, and what is said when the device is missing."""

from __future__ import annotations

import pytest

from theano.core.devices import CPU, DeviceSpec, announce_missing, parse_contexts, parse_device


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("cpu", CPU),
        ("cuda", DeviceSpec("cuda")),
        ("cuda0", DeviceSpec("cuda", 0)),
        ("cuda12", DeviceSpec("cuda", 12)),
        ("opencl1:2", DeviceSpec("opencl", 2, 1)),
    ],
)
def test_devices_and_back(text: str, device: DeviceSpec) -> None:
    assert parse_device(text) == device
    assert str(device) == text


@pytest.mark.parametrize(
    "text", ["", "CPU", "cuda-1", "cuda0x", "opencl", "opencl0", "cuda\n", "cuda٣"]
)
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="valid values are cpu, cuda"):
        parse_device(text)


def test_the_old_names_say_what_to_write() -> None:
    with pytest.raises(ValueError, match="write device='cuda3'"):
        parse_device("gpu3")


def test_contexts() -> None:
    text = "dev0->cuda0;dev1 -> opencl0:1;"
    assert parse_contexts(text) == {
        "dev0": parse_device("cuda0"),
        "dev1": parse_device("opencl0:1"),
    }
    assert parse_contexts("") == {}


@pytest.mark.parametrize(
    "text", ["dev0", "->cuda0", "a->", "cpu->cuda0", "opencl->cuda0", "a->cpu"]
)
def test_malformed_contexts(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Cc]ontext|device"):
        parse_contexts(text)


def test_a_missing_gpu_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    announce_missing("cuda", force=False, reason="no driver")
    said = capsys.readouterr()
    assert "no GPU was found for device=cuda (no driver); the CPU is used instead" in said.err
    assert said.out == ""
    announce_missing("opencl0:0", force=False, fallback="silent")
    assert capsys.readouterr().err == ""


def test_a_missing_gpu_raises_when_forced() -> None:
    with pytest.raises(RuntimeError, match=r"No GPU was found for device=cuda0, .*force_device"):
        announce_missing("cuda0", force=True)
    with pytest.raises(RuntimeError, match=r"No OpenCL device.*gpu\.fallback=raise"):
        announce_missing("opencl0:0", force=False, fallback="raise")
