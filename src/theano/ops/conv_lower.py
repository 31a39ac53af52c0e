"""Convolutions as calls of routines, on views: flipped kernels are read backwards.

The routines correlate images (batch, channels, 3 axes) with kernels (groups, filters, channels, 3
axes); fewer axes are completed by axes of extent 1. The gradient for images is a correlation too:
with exchanged channels, and, where there is a stride S, S of them along an axis, each for every
S-th cell of the images and with the taps that reach those.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from theano.core.config import config
from theano.ops.conv_shape import axis_mode

#: Where 1, 2 or 3 axes are among three.
PLACES: Final = {1: (2,), 2: (0, 2), 3: (0, 1, 2)}
_FAST: Final = ("float32", "float64")


def channel_problem(channels: int | None, filters: int | None, own: int | None, groups: int) -> str:
    """What is wrong with numbers of channels (of images, and ``own`` of kernels); "" if nothing."""
    if channels is not None and channels % groups:
        return f"{channels} channels cannot be divided into num_groups = {groups}"
    if filters is not None and filters % groups:
        return f"{filters} filters cannot be divided into num_groups = {groups}"
    if None not in (channels, own) and channels != own * groups:  # type: ignore[operator]
        each = f" in each of {groups} groups" if groups > 1 else ""
        return f"images have {channels} channels, kernels have {own}{each}"
    return ""


class Taps(NamedTuple):
    """The cells S·i + ``first`` of an image along an axis, and the taps that reach them.

    These are the taps ``tap``, ``tap`` + ``step``, …: ``taps`` of them; they correlate the result
    with dilation ``dilation`` and ``before`` zeros. ``cells``: how many cells there are.
    """

    first: Any
    cells: Any
    tap: Any
    step: int
    taps: Any
    dilation: int
    before: Any


#: More phases than this are done by the routine that needs none.
_PHASES: Final = 64
_NEUTRAL: Final = {"add": 0, "sub": 0, "mul": 1, "idiv": 1}


def let(low: Any, prim: str, a: Any, b: Any) -> Any:
    """``low.let`` of int64 registers and ints, without sums with 0 and products with 1."""
    one, two = (v if isinstance(v, int) else low.literal(v) for v in (a, b))
    neutral = _NEUTRAL[prim]
    if two == neutral:
        return a
    if one == neutral and prim in ("add", "mul"):
        return b
    return low.let(prim, a, b)


class Call:
    """One node being lowered: its registers and views.

    ``image``, ``kernel``, ``result`` are arrays' names (one of them is to be written).
    """

    def __init__(self, op: Any, low: Any, image: str, kernel: str, result: str) -> None:
        self.op, self.low = op, low
        self.image, self.kernel, self.result = image, kernel, result
        rank = op.convdim
        self.rank = rank
        self.axes = PLACES[rank]
        skip = 1 + (rank if op.unshared else 0)
        self.channels_at = skip
        self.taps = [low.dim(kernel, skip + 1 + i) for i in range(rank)]
        self.before = [self._before(i) for i in range(rank)]

    # registers -----------------------------------------------------------------------------------

    def _covered(self, axis: int) -> Any:
        low = self.low
        cells = let(low, "mul", let(low, "sub", self.taps[axis], 1), self.op.filter_dilation[axis])
        return let(low, "add", cells, 1)

    def _before(self, axis: int) -> Any:
        mode, low = axis_mode(self.op.border_mode, axis), self.low
        if mode == "half":
            return let(low, "idiv", self._covered(axis), 2)
        if mode == "full":
            return let(low, "sub", self._covered(axis), 1)
        pair = mode if isinstance(mode, tuple) else (0, 0) if mode == "valid" else (mode, mode)
        return low.k.const(pair[0], "int64")

    def _after(self, axis: int) -> Any:
        mode = axis_mode(self.op.border_mode, axis)
        return self.low.k.const(mode[1], "int64") if isinstance(mode, tuple) else self.before[axis]

    def check(self) -> None:
        """End the call where the extents do not fit together."""
        low, op = self.low, self.op
        image, kernel, result = (
            [low.dim(name, i) for i in range(len(low.array_dims[name]))]
            for name in (self.image, self.kernel, self.result)
        )
        groups = op.num_groups
        pairs = [(image[0], result[0]), (kernel[0], result[1])]
        pairs += [(image[1], let(low, "mul", kernel[self.channels_at], groups))]
        pairs += [(low.let("mod", kernel[0], groups), low.k.const(0, "int64"))]
        for i in range(self.rank):
            room = let(low, "add", let(low, "add", image[2 + i], self.before[i]), self._after(i))
            steps = let(low, "idiv", let(low, "sub", room, self._covered(i)), op.subsample[i])
            pairs.append((let(low, "add", steps, 1), result[2 + i]))
            if op.unshared:
                pairs.append((kernel[1 + i], result[2 + i]))
        pairs += self._hinted(image, op.imshp, "imshp") + self._hinted(kernel, op.kshp, "kshp")
        for one, two in pairs:
            if one is two or getattr(one, "name", 0) == getattr(two, "name", 1):
                continue
            low.check(low.let("eq", one, two), f"{op.what}: the shapes do not fit")

    def _hinted(self, extents: Sequence[Any], hint: Any, name: str) -> list[tuple[Any, Any]]:
        return [
            (extents[axis], self.low.k.const(wanted, "int64"))
            for axis, wanted in enumerate(hint or ())
            if wanted is not None
            and (config.conv.assert_shape or self.op._binding(axis, wanted, name))
        ]

    # views ---------------------------------------------------------------------------------------

    def _three(self, moves: Sequence[Any]) -> list[Any]:
        full: list[Any] = [(None, 1, 1)] * 3
        for place, move in zip(self.axes, moves, strict=True):
            full[place] = move
        return full

    def _numbers(self, values: Sequence[Any], default: int) -> list[Any]:
        full: list[Any] = [default] * 3
        for place, value in zip(self.axes, values, strict=True):
            full[place] = value
        return full

    def as_five(self, name: str) -> str:
        """Images or results with three axes behind the channels."""
        moves = self.low.full_view(name)
        view: str = self.low.view(name, (), [*moves[:2], *self._three(moves[2:])])
        return view

    def grouped(self) -> str:
        """The kernels with their filters divided into groups."""
        low, groups = self.low, self.op.num_groups
        dims = [low.dim(self.kernel, i) for i in range(len(low.array_dims[self.kernel]))]
        if groups == 1:
            moves = low.full_view(self.kernel)
            name: str = low.view(self.kernel, (), [(None, 1, 1), *moves])
            return name
        name = low.reshaped(self.kernel, [groups, let(low, "idiv", dims[0], groups), *dims[1:]])
        return name

    def kernels(self, swapped: bool, taps: Sequence[Taps] | None = None) -> str:
        """Kernels as routines want them: (groups, filters, channels, 3 axes), not flipped.

        ``swapped``: filters and channels exchanged, the order of the taps reversed, and only
        ``taps`` of them.
        """
        low, name = self.low, self.grouped()
        moves = low.full_view(name)
        starts, last = [], []
        for i, count in enumerate(self.taps):
            axis = len(moves) - self.rank + i
            chosen = taps[i] if taps else Taps(0, 0, 0, 1, count, 1, 0)
            end = low.let("max", let(low, "sub", chosen.taps, 1), 0)
            far = let(low, "add", let(low, "mul", end, chosen.step), chosen.tap)
            start, step = (far, -chosen.step) if swapped else (chosen.tap, chosen.step)
            if self.op.filter_flip:
                start, step = let(low, "sub", let(low, "sub", count, 1), start), -step
            starts.append((axis, start))
            last.append((axis, chosen.taps, step))
        before = moves[: len(moves) - self.rank]
        if swapped:
            before[1], before[2] = before[2], before[1]
        view: str = low.view(name, starts, [*before, *self._three(last)])
        return view

    def local_kernels(self) -> str:
        """Kernels of `local`: (groups, filters, 3 positions, channels, 3 axes), not flipped."""
        low, name = self.low, self.grouped()
        moves = low.full_view(name)
        first = len(moves) - self.rank
        starts, last = [], []
        for i, count in enumerate(self.taps):
            flip = self.op.filter_flip
            starts.append((first + i, let(low, "sub", count, 1) if flip else 0))
            last.append((first + i, count, -1 if flip else 1))
        positions = moves[2 : first - 1]
        if not self.op.unshared:
            extents = [low.dim(self.result, 2 + i) for i in range(self.rank)]
            positions = [(None, extent, 1) for extent in extents]
        view: str = low.view(
            name, starts,
            [*moves[:2], *self._three(positions), moves[first - 1], *self._three(last)],
        )  # fmt: skip
        return view

    # calls ---------------------------------------------------------------------------------------

    def numbers(self) -> list[Any]:
        """Strides, dilations and zeros before the images."""
        op = self.op
        return [
            *self._numbers(op.subsample, 1), *self._numbers(op.filter_dilation, 1),
            *self._numbers(self.before, 0),
        ]  # fmt: skip

    def phases(self, axis: int) -> list[Taps]:
        """The cells of an image, by the remainder of (cell + zeros before) by the stride."""
        low, op = self.low, self.op
        stride, dilation = op.subsample[axis], op.filter_dilation[axis]
        common = math.gcd(stride, dilation)
        step = stride // common
        extent, count = low.dim(self.image, 2 + axis), self.taps[axis]
        if stride == 1:
            reach = let(low, "sub", self._covered(axis), 1)
            before = let(low, "sub", reach, self.before[axis])
            return [Taps(0, extent, 0, 1, count, dilation, before)]
        found = []
        for rest in range(stride):
            # Cell S·m + rest - before is reached by tap k from result m - (k D - rest) / S.
            offset = let(low, "sub", let(low, "add", self.before[axis], stride - 1), rest)
            begin = let(low, "idiv", offset, stride)
            first = let(low, "sub", let(low, "add", let(low, "mul", begin, stride), rest),
                            self.before[axis])  # fmt: skip
            room = let(low, "sub", let(low, "add", extent, stride - 1), first)
            cells = low.let("max", let(low, "idiv", room, stride), 0)
            tap = next((k for k in range(step) if (k * dilation - rest) % stride == 0), None)
            if tap is None:
                found.append(Taps(first, cells, 0, 1, low.k.const(0, "int64"), 1, 0))
                continue
            room = let(low, "sub", let(low, "add", count, step - 1), tap)
            taps = low.let("max", let(low, "idiv", room, step), 0)
            base = (tap * dilation - rest) // stride
            reach = let(low, "mul", let(low, "sub", taps, 1), dilation // common)
            before = let(low, "sub", let(low, "add", reach, base), begin)
            found.append(Taps(first, cells, tap, step, taps, dilation // common, before))
        return found

    def image_part(self, taps: Sequence[Taps]) -> str:
        """The cells of the images that a phase computes."""
        low = self.low
        moves = low.full_view(self.image)
        starts = [(2 + i, t.first) for i, t in enumerate(taps)]
        last = [(2 + i, t.cells, self.op.subsample[i]) for i, t in enumerate(taps)]
        view: str = low.view(self.image, starts, [*moves[:2], *self._three(last)])
        return view

    def to_images(self) -> None:
        """One correlation per phase."""
        result = self.as_five(self.result)
        for taps in itertools.product(*map(self.phases, range(self.rank))):
            numbers = [
                1, 1, 1, *self._numbers([t.dilation for t in taps], 1),
                *self._numbers([t.before for t in taps], 0), int(config.conv.winograd),
            ]  # fmt: skip
            arrays = (self.image_part(taps), result, self.kernels(True, taps))
            self.low.routine("conv", arrays, numbers)


def _begin(low: Any, node: Any, dtype: str) -> tuple[list[str], str, str]:
    """Both operands in the dtype to compute in, and arrays to compute into and for the output."""
    (out,) = node.outputs
    for extent in low.dims(out):
        text = f"{node.op.what}: the kernel is larger than the image"
        low.check(low.let("ge", extent, 0), text)
    compute = "float32" if dtype == "float16" else dtype
    given = [low.converted(v, compute) for v in node.inputs[:2]]
    final = low.alloc(out)
    target = final if compute == dtype else low.allocate(compute, low.dims(out))
    return given, target, final


def _end(low: Any, target: str, final: str) -> None:
    if target != final:
        low.copy(target, final)


def _simple(op: Any, dtype: str, mode: int) -> bool:
    phases = math.prod(op.subsample) if mode == 1 else 1
    return dtype in (*_FAST, "float16") and not op.unshared and phases <= _PHASES


def forward(op: Any, node: Any, low: Any) -> None:
    """The convolution itself."""
    dtype = node.outputs[0].type.dtype
    _run(op, node, low, dtype, 0)


def weights(op: Any, node: Any, low: Any) -> None:
    """The gradient for kernels."""
    _run(op, node, low, node.outputs[0].type.dtype, 2)


def data(op: Any, node: Any, low: Any) -> None:
    """The gradient for images."""
    _run(op, node, low, node.outputs[0].type.dtype, 1)


def _run(op: Any, node: Any, low: Any, dtype: str, mode: int) -> None:
    """``mode``: what is computed: 0 the result, 1 the images, 2 the kernels."""
    (one, two), target, final = _begin(low, node, dtype)
    image, kernel, result = (
        (one, two, target), (target, one, two), (one, target, two),
    )[mode]  # fmt: skip
    call = Call(op, low, image, kernel, result)
    call.check()
    if not _simple(op, dtype, mode):
        name = ("local", "local_data", "local_weights")[mode]
        arrays = [call.as_five(result), call.as_five(image), call.local_kernels()]
        order = ((0, 1, 2), (1, 0, 2), (2, 1, 0))[mode]
        low.routine(name, [arrays[i] for i in order], call.numbers())
    elif mode == 1:
        call.to_images()
    else:
        views = call.as_five(image), call.kernels(False), call.as_five(result)
        arrays = [views[2], views[0], views[1]] if mode == 0 else [views[1], views[0], views[2]]
        numbers = [*call.numbers(), int(config.conv.winograd)]
        low.routine(("conv", "", "conv_weights")[mode], arrays, numbers)
    _end(low, target, final)
