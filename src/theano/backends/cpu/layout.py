"""The words that a kernel is called with: one array of int64, filled by the host, per launch.

Order: extents of all axes; per operand its base pointer, a byte stride per kernel axis (0 where it
does not move) and per gathered dimension (extent, byte stride); scalars as bit patterns; the status
word; then words that belong to the kernel itself.
"""

from __future__ import annotations

from functools import cached_property

from theano.core.record import dataclass
from theano.kernel import ir

CHUNKS = 64  # most chunks that a full reduction is split into
_OWN = ("status", "grain", "mode", "dump", "stream", "parts", "sums")


@dataclass(frozen=True)
class Layout:
    """Word offsets for ``kernel``.

    >>> layout = Layout(ir.Kernel("k", ("a0",), (), (ir.Operand("x", "int8", ("a0",)),), (), ()))
    >>> layout.extent("a0"), layout.base("x"), layout.stride("x", "a0"), layout.status
    (0, 1, 2, 3)
    """

    kernel: ir.Kernel

    @cached_property
    def _offsets(self) -> dict[tuple[str, ...], int]:
        kernel = self.kernel
        keys: list[tuple[str, ...]] = [("extent", axis) for axis in kernel.axes]
        for operand in kernel.operands:
            keys.append(("base", operand.name))
            keys += [("stride", operand.name, axis) for axis in kernel.axes]
            for j in range(operand.gather):
                keys += [("gather extent", operand.name, str(j))]
                keys += [("gather stride", operand.name, str(j))]
        keys += [("scalar", p.name) for p in kernel.scalars]
        keys += [("own", name) for name in _OWN]
        return {key: i for i, key in enumerate(keys)}

    def extent(self, axis: str) -> int:
        """Word of an axis's extent."""
        return self._offsets["extent", axis]

    def base(self, operand: str) -> int:
        """Word of an operand's pointer."""
        return self._offsets["base", operand]

    def stride(self, operand: str, axis: str) -> int:
        """Word of an operand's byte stride along a kernel axis."""
        return self._offsets["stride", operand, axis]

    def gather_extent(self, operand: str, j: int) -> int:
        """Word of the extent of gathered dimension ``j``."""
        return self._offsets["gather extent", operand, str(j)]

    def gather_stride(self, operand: str, j: int) -> int:
        """Word of the byte stride of gathered dimension ``j``."""
        return self._offsets["gather stride", operand, str(j)]

    def scalar(self, name: str) -> int:
        """Word of a scalar parameter: its bits, zero- or sign-extended."""
        return self._offsets["scalar", name]

    @property
    def status(self) -> int:
        """Word that the kernel sets to 1 on failure; the host sets it to 0 before."""
        return self._offsets["own", "status"]

    def own(self, name: str) -> int:
        """A word of the kernel's own."""
        return self._offsets["own", name]

    @cached_property
    def accumulators(self) -> tuple[ir.Accumulate, ...]:
        """All accumulators, in order."""
        return tuple(
            s for stage in self.kernel.stages for s in stage.body if isinstance(s, ir.Accumulate)
        )

    def partial(self, number: int) -> int:
        """First of the CHUNKS words with the partial results of accumulator ``number``; those of
        the values behind arg-accumulators come after all others."""
        return len(self._offsets) + CHUNKS * number

    @property
    def words(self) -> int:
        """How many words the host provides."""
        count = len(self._offsets)
        if not self.kernel.outer and self.kernel.inner:
            count += CHUNKS * 2 * len(self.accumulators)
        return count
