"""Arrays from outside: files. Names of message passing (MPI) exist and say that it is missing."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from theano.ops.load import LoadFromDisk, load

mpi_enabled: Final = False


def _missing(name: str) -> NoReturn:
    raise NotImplementedError(
        f"{name}: MPI is not supported. Exchange arrays between processes outside of the graph, "
        "with mpi4py for example, and give them to functions as inputs or shared variables."
    )


class _MPIOp:
    """An op of message passing: cannot be made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _missing(type(self).__name__)


class MPIRecv(_MPIOp):
    """Would begin to receive an array: raises NotImplementedError."""


class MPIRecvWait(_MPIOp):
    """Would wait for an array: raises NotImplementedError."""


class MPISend(_MPIOp):
    """Would begin to send an array: raises NotImplementedError."""


class MPISendWait(_MPIOp):
    """Would wait until an array is sent: raises NotImplementedError."""


def isend(var: Any, dest: int, tag: int) -> NoReturn:
    """Would begin to send ``var`` to process ``dest``: raises NotImplementedError."""
    _missing("isend")


def send(var: Any, dest: int, tag: int) -> NoReturn:
    """Would send ``var`` to process ``dest``: raises NotImplementedError."""
    _missing("send")


def irecv(shape: Any, dtype: Any, source: int, tag: int) -> NoReturn:
    """Would begin to receive from process ``source``: raises NotImplementedError."""
    _missing("irecv")


def recv(shape: Any, dtype: Any, source: int, tag: int) -> NoReturn:
    """Would receive from process ``source``: raises NotImplementedError."""
    _missing("recv")


def mpi_send_wait_key(a: Any) -> int:
    """Order of execution among nodes: no node sends or receives."""
    return 0


def mpi_tag_key(a: Any) -> int:
    """Order of execution among nodes: no node has a tag."""
    return 0


mpi_cmps: Final = (mpi_send_wait_key, mpi_tag_key)
mpi_keys: Final = mpi_cmps

__all__ = [
    "LoadFromDisk",
    "MPIRecv",
    "MPIRecvWait",
    "MPISend",
    "MPISendWait",
    "irecv",
    "isend",
    "load",
    "mpi_cmps",
    "mpi_enabled",
    "mpi_keys",
    "mpi_send_wait_key",
    "mpi_tag_key",
    "recv",
    "send",
]
