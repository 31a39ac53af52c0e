"""What `device=` and `contexts=` may say, and what is said when the device is not there."""

from __future__ import annotations

import re
import sys
from typing import Final

from theano.core.record import dataclass

_CUDA = re.compile(r"cuda([0-9]*)\Z")
_OPENCL = re.compile(r"opencl([0-9]+):([0-9]+)\Z")
_RESERVED: Final = ("cpu", "cuda", "opencl")

# What would make a device of this kind work, for messages.
REMEDY: Final = {
    "cuda": "CUDA needs an NVIDIA GPU and its driver",
    "opencl": "OpenCL needs a platform with a device, and `pip install 'theano[opencl]'`",
}


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device by kind and numbers: `cuda` leaves `index` None, OpenCL has a platform too."""

    kind: str
    index: int | None = None
    platform: int | None = None

    def __str__(self) -> str:
        if self.kind == "opencl":
            return f"opencl{self.platform}:{self.index}"
        return self.kind if self.index is None else f"{self.kind}{self.index}"


CPU: Final = DeviceSpec("cpu")


def parse_device(text: str) -> DeviceSpec:
    """The device that a flag value names: cpu, cuda, cudaN, or openclP:D.

    Raises:
        ValueError: any other text; for the removed `gpu*` names it says what to write instead.

    >>> parse_device("cuda1"), str(parse_device("opencl0:1"))
    (DeviceSpec(kind='cuda', index=1, platform=None), 'opencl0:1')
    """
    if text == "cpu":
        return CPU
    cuda = _CUDA.match(text)
    if cuda:
        return DeviceSpec("cuda", int(cuda[1]) if cuda[1] else None)
    opencl = _OPENCL.match(text)
    if opencl:
        return DeviceSpec("opencl", int(opencl[2]), int(opencl[1]))
    if text.startswith("gpu"):
        raise ValueError(
            f"device={text!r} names the GPU back-end that was removed in Theano 1.0; "
            f"write device={'cuda' + text[3:]!r} instead."
        )
    raise ValueError(
        f"Unknown device {text!r}: valid values are cpu, cuda, cuda0, cuda1, … "
        f"and opencl0:0 (platform:device)."
    )


def parse_contexts(text: str) -> dict[str, DeviceSpec]:
    """The context map of the flag `contexts`: 'dev0->cuda0;dev1->cuda1', in the order written.

    Raises:
        ValueError: a part is not `name->device`, a name is taken twice, or it is a device name.

    >>> {name: str(device) for name, device in parse_contexts("a->cuda0;b->opencl0:1").items()}
    {'a': 'cuda0', 'b': 'opencl0:1'}
    """
    contexts: dict[str, DeviceSpec] = {}
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        name, arrow, device = (piece.strip() for piece in part.partition("->"))
        if not arrow or not name or not device:
            raise ValueError(
                f"Malformed contexts flag at {part!r}: write name->device, separated by ';', "
                f"as in 'dev0->cuda0;dev1->cuda1'."
            )
        if name.startswith(_RESERVED):
            raise ValueError(
                f"A context cannot be called {name!r}: names that begin with "
                f"{', '.join(_RESERVED)} mean devices. Try 'dev0'."
            )
        if name in contexts:
            raise ValueError(f"The contexts flag defines {name!r} twice.")
        contexts[name] = parse_device(device)
        if contexts[name] == CPU:
            raise ValueError(f"Context {name!r} cannot be on the cpu: contexts name GPUs only.")
    return contexts


def announce_missing(device: str, force: bool, reason: str = "", fallback: str = "warn") -> None:
    """Say on stderr that the device was not found and the CPU is used instead, or raise.

    Args:
        device: the value of the flag, such as 'cuda'.
        force: the flag `force_device`: raise instead of going on.
        reason: what the driver or the import said, if anything.
        fallback: the flag `gpu.fallback`: warn, raise, or silent.

    Raises:
        RuntimeError: `force` is true or `fallback` is 'raise'.
    """
    spec = parse_device(device)
    what = "GPU" if spec.kind == "cuda" else "OpenCL device"
    because = f" ({reason})" if reason else ""
    remedy = REMEDY.get(spec.kind, "")
    if force or fallback == "raise":
        flag = "force_device=True" if force else "gpu.fallback=raise"
        raise RuntimeError(
            f"No {what} was found for device={device}{because}, and {flag} forbids the CPU. "
            f"{remedy}."
        )
    if fallback == "silent":
        return
    sys.stderr.write(
        f"WARNING (theano): no {what} was found for device={device}{because}; "
        f"the CPU is used instead. {remedy}.\n"
    )
