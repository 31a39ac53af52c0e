"""Arrays read from files while a function runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.graph.generic import Generic, generic
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.extents import NoGradient


class LoadFromDisk(NoGradient, TensorOp):
    """The array in a ``.npy`` file, whose path is an input: it is read at each call.

    See `load` for the parameters.
    """

    __props__: ClassVar[tuple[str, ...]] = ("dtype", "broadcastable", "mmap_mode")
    lowering = "python"
    why = "it reads a file"

    def __init__(
        self, dtype: Any, broadcastable: Sequence[bool], mmap_mode: str | None = None
    ) -> None:
        if mmap_mode not in (None, "c"):
            raise ValueError(
                f"The only supported values for mmap_mode are None and 'c', got {mmap_mode!r}."
            )
        self.dtype = str(np.dtype(dtype))
        self.broadcastable = tuple(map(bool, broadcastable))
        self.mmap_mode = mmap_mode

    def make_node(self, path: Any) -> Apply:
        if isinstance(path, (str, os.PathLike)):
            path = generic.constant(path)
        if not isinstance(path, Variable) or not isinstance(path.type, Generic):
            raise TypeError(
                f"load takes a path: a str, a pathlib.Path or a generic variable, got {path!r}"
            )
        return Apply(self, [path], [TensorType(self.dtype, self.broadcastable)()])

    def reference(self, node: Apply, path: Any) -> Any:
        if os.fspath(path).endswith(".npz"):
            raise ValueError(f"Expected a .npy file, got {path} instead")
        mode: Any = self.mmap_mode
        found = np.load(path, mmap_mode=mode, allow_pickle=False)
        if found.dtype != self.dtype:
            raise TypeError(
                f"Expected an array of type {self.dtype}, got {found.dtype} instead in {path}"
            )
        declared = node.outputs[0].type.filter
        return declared(np.asarray(found))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """The file tells."""
        return [None]

    def do_constant_folding(self, node: Apply) -> bool:
        """Not at compile time: the file is read at each call."""
        return False

    def __str__(self) -> str:
        mmap = f", mmap: {self.mmap_mode}" if self.mmap_mode else ""
        return f"Load{{dtype: {self.dtype}, broadcastable: {self.broadcastable}{mmap}}}"


def load(path: Any, dtype: Any, broadcastable: Sequence[bool], mmap_mode: str | None = None) -> Any:
    """The array in a ``.npy`` file, read each time that the function is called.

    Parameters
    ----------
    path : a str or pathlib.Path, or a generic variable, for a path that calls give.
    dtype : the dtype that the file must have.
    broadcastable : one bool per dimension of the array: whether its extent is 1 and stretches.
    mmap_mode : None reads the file at once; ``"c"`` maps it into memory.

    Raises ValueError for another ``mmap_mode`` and, at run time, for an archive (``.npz``);
    TypeError, at run time, where the file has another dtype or number of dimensions;
    FileNotFoundError where there is none.

    >>> import os, tempfile
    >>> import numpy as np
    >>> import theano
    >>> path = theano.generic("path")
    >>> f = theano.function([path], load(path, "float64", (False,)) * 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     name = os.path.join(folder, "a.npy")
    ...     np.save(name, np.arange(3.0))
    ...     f(name).tolist()
    [0.0, 2.0, 4.0]
    """
    return LoadFromDisk(dtype, broadcastable, mmap_mode)(path)
