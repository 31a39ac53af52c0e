"""What convolution and its gradients share: parameters, checks, and views for the routines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Apply
from theano.graph.registry import apply
from theano.ops import conv_lower, conv_shape, sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, zeros_of
from theano.ops.constants import vector_entries
from theano.ops.extents import disconnected
from theano.ops.mismatch import mismatch

PROPS: Final = (
    "border_mode", "subsample", "filter_flip", "imshp", "kshp", "filter_dilation", "num_groups",
    "unshared",
)  # fmt: skip


class BaseAbstractConv(TensorOp):
    """What convolution and its gradients share: how kernels lie on images.

    Parameters
    ----------
    convdim
        Number of axes that kernels move along.
    imshp, kshp
        Known extents of images (batch, channels, …) and kernels (filters, channels / groups, …;
        unshared: filters, …positions, channels / groups, …), or None; entries may be None. They are
        checked when the function runs, except for the batch, which may be another one (unless it is
        1, or ``config.conv.assert_shape`` is set).
    border_mode
        ``"valid"``, ``"full"``, ``"half"``, an int, or for each axis an int or (before, after).
    subsample, filter_dilation
        An int per axis.
    filter_flip
        True: convolution; False: correlation.
    num_groups
        The channels are divided into groups, and so are the filters: each group is by itself.
    unshared
        Each position of the result has kernels of its own.

    Raises ValueError for values outside of these.
    """

    lowering = "step"
    convdim: int
    __props__: ClassVar[tuple[str, ...]] = ("convdim", *PROPS)

    def __init__(
        self, convdim: int, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid",
        subsample: Any = None, filter_flip: bool = True, filter_dilation: Any = None,
        num_groups: int = 1, unshared: bool = False,
    ) -> None:  # fmt: skip
        if not 1 <= int(convdim) <= 3:
            raise ValueError(f"convolution over {convdim} axes is not there: 1, 2 or 3")
        self.convdim = int(convdim)
        if int(num_groups) != num_groups or num_groups < 1:
            raise ValueError(f"num_groups must be an int of at least 1, got {num_groups}")
        self.num_groups, self.unshared = int(num_groups), bool(unshared)
        self.border_mode = conv_shape.border(border_mode, self.convdim)
        one = 1
        self.subsample = conv_shape.per_axis(
            one if subsample is None else subsample, convdim, "subsample"
        )
        self.filter_dilation = conv_shape.per_axis(
            one if filter_dilation is None else filter_dilation, convdim, "filter_dilation"
        )
        self.filter_flip = bool(filter_flip)
        self.imshp = conv_shape.hints(imshp, 2 + self.convdim, "imshp (input_shape)")
        self.kshp = conv_shape.hints(kshp, self.kernel_rank, "kshp (filter_shape)")

    @property
    def kernel_rank(self) -> int:
        """How many axes kernels have."""
        return 2 + self.convdim * (2 if self.unshared else 1)

    @property
    def options(self) -> tuple[Any, ...]:
        """What another direction is made with: imshp, kshp, border_mode, …"""
        return (
            self.imshp, self.kshp, self.border_mode, self.subsample, self.filter_flip,
            self.filter_dilation, self.num_groups, self.unshared,
        )  # fmt: skip

    # operands ------------------------------------------------------------------------------------

    def _operands(self, first: Any, second: Any, ranks: tuple[int, int], names: str) -> Any:
        """Two operands in a common dtype."""
        pair = [as_tensor_variable(v) for v in (first, second)]
        for v, rank, name in zip(pair, ranks, names.split(), strict=True):
            if v.type.ndim != rank:
                raise TypeError(f"{self.what}: {name} must have {rank} axes, got {v} of {v.type}")
            if v.type.dtype in dtypes.COMPLEX or v.type.dtype == "bool":
                raise TypeError(f"{self.what}: {name} has dtype {v.type.dtype}: {v}")
        dtype = dtypes.promote(*(v.type.dtype for v in pair))
        return (*(cast(v, dtype) for v in pair), dtype)

    @property
    def what(self) -> str:
        """How errors call the op."""
        return f"{type(self).__name__}"

    def _known(self, x: Any, hint: tuple[int | None, ...] | None, name: str) -> list[int | None]:
        """Static extents of an operand, with its hint; ShapeError where they disagree."""
        known = list(x.type.shape)
        for axis, wanted in enumerate(hint or ()):
            if wanted is None or not self._binding(axis, wanted, name):
                continue
            if known[axis] not in (None, wanted):
                raise mismatch(
                    f"{self.what}: {name} says that axis {axis} of {x} has extent {wanted}", x
                )
            known[axis] = wanted
        return known

    def _binding(self, axis: int, wanted: int, name: str) -> bool:
        """Whether a hint is relied upon: the size of the batch is not, unless it is 1."""
        return name != "imshp" or axis != 0 or wanted == 1

    def _agree(self, image: Sequence[Any], kernel: Sequence[Any], *variables: Any) -> None:
        """ShapeError where channels and filters are known not to fit."""
        channels, filters, own = image[1], kernel[0], kernel[-self.convdim - 1]
        problem = conv_lower.channel_problem(channels, filters, own, self.num_groups)
        if problem:
            shapes = f"images {tuple(image)}, kernels {tuple(kernel)}"
            raise mismatch(f"{self.what}: {problem} ({shapes})", *variables)

    def _result(self, image: Sequence[Any], kernel: Sequence[Any], *variables: Any) -> list[Any]:
        """Static extents along which kernels move; ShapeError where a kernel is too large."""
        found = conv_shape.get_conv_output_shape(
            image, kernel, self.border_mode, self.subsample, self.filter_dilation
        )[2:]
        for axis, extent in enumerate(found):
            if extent is not None and extent < 0:
                raise mismatch(
                    f"{self.what}: along axis {axis + 2} the kernel is larger than the image and "
                    f"its zeros (images {tuple(image)}, kernels {tuple(kernel)}, border_mode "
                    f"{self.border_mode}, filter_dilation {self.filter_dilation})",
                    *variables,
                )
        return list(found)

    def _fits(self, found: Sequence[Any], given: Sequence[Any], *variables: Any) -> None:
        """ShapeError where a result is known not to have the extents that it should."""
        for axis, (one, two) in enumerate(zip(found, given, strict=True)):
            if None not in (one, two) and one != two:
                raise mismatch(
                    f"{self.what}: the output gradient has extent {two} along axis {axis}, but the "
                    f"convolution has {one}",
                    *variables,
                )

    def _spatial(self, shape: Any) -> Any:
        """The third input of a gradient: an int vector of ``convdim`` extents."""
        if isinstance(shape, (list, tuple)):
            shape = sizes.vector([sizes.simple(as_tensor_variable(s)) for s in shape])
        shape = as_tensor_variable(shape, ndim=1)
        if shape.type.dtype not in dtypes.integer_dtypes or shape.type.ndim != 1:
            raise TypeError(f"{self.what}: extents must be a vector of ints, got {shape.type}")
        if shape.type.shape[0] not in (None, self.convdim):
            raise ValueError(f"{self.what}: {shape} has not {self.convdim} extents")
        return shape

    def _entries(self, shape: Any) -> list[Any]:
        return vector_entries(shape, self.convdim)

    # gradients -----------------------------------------------------------------------------------

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Extents have no influence on values."""
        return [[i < 2] for i in range(len(node.inputs))]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        if outputs[0].type.dtype in dtypes.DISCRETE:
            terms = [zeros_of(v) for v in inputs[:2]]
        else:
            terms = self.terms(inputs, output_grads[0])
        return [*terms, *(disconnected() for _ in inputs[2:])]

    def terms(self, inputs: Any, g: Any) -> list[Any]:
        """The gradients for both operands."""
        raise NotImplementedError(f"{self} has no gradient: define terms")

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (a, b, *rest), (ea, eb) = inputs, eval_points[:2]
        found = [self(ea, b, *rest)] if ea is not None else []
        found += [self(a, eb, *rest)] if eb is not None else []
        if not found:
            return [None]
        return [found[0] if len(found) == 1 else apply("add", *found)]

    # meaning -------------------------------------------------------------------------------------

    def _check(self, image: Sequence[int], kernel: Sequence[int], result: Any = None) -> Any:
        """The shape of the result at run time; ValueError if it cannot be, or is not ``result``."""
        for name, shape, hint in (("imshp", image, self.imshp), ("kshp", kernel, self.kshp)):
            for axis, wanted in enumerate(hint or ()):
                bound = config.conv.assert_shape or self._binding(axis, wanted or 0, name)
                if wanted not in (None, shape[axis]) and bound:
                    raise ValueError(
                        f"{self.what}: {name} {hint} was given, but the shape is {tuple(shape)}"
                    )
        channels, filters, own = image[1], kernel[0], kernel[-self.convdim - 1]
        shapes = f"images {tuple(image)}, kernels {tuple(kernel)}"
        problem = conv_lower.channel_problem(channels, filters, own, self.num_groups)
        if problem:
            raise ValueError(f"{self.what}: {problem} ({shapes})")
        found = conv_shape.get_conv_output_shape(
            image, kernel, self.border_mode, self.subsample, self.filter_dilation
        )
        if min(found) < 0:
            raise ValueError(
                f"{self.what}: the kernel is larger than the image and its zeros ({shapes}, "
                f"border_mode {self.border_mode}, filter_dilation {self.filter_dilation})"
            )
        if result is not None and tuple(result) != tuple(found):
            raise ValueError(
                f"{self.what}: the output gradient has shape {tuple(result)}, the convolution "
                f"{tuple(map(int, found))} ({shapes})"
            )
        positions = tuple(kernel[1 : -self.convdim - 1])
        if self.unshared and positions != tuple(found[2:]):
            raise ValueError(
                f"{self.what}: there are kernels for {positions} positions, and "
                f"{tuple(map(int, found[2:]))} positions ({shapes})"
            )
        return tuple(map(int, found))

    def numbers(self, kernel: Sequence[int]) -> list[int]:
        """Strides, dilations and zeros before the images, along three axes, for the routines."""
        before = [
            conv_shape.pad_of(conv_shape.axis_mode(self.border_mode, i), k, d)[0]
            for i, (k, d) in enumerate(zip(kernel, self.filter_dilation, strict=True))
        ]
        numbers = []
        for values, default in ((self.subsample, 1), (self.filter_dilation, 1), (before, 0)):
            full = [default] * 3
            for place, value in zip(conv_lower.PLACES[self.convdim], values, strict=True):
                full[place] = int(value)
            numbers += full
        return numbers

    def completed(self, array: Any) -> Any:
        """A view of images or results with three axes behind the channels."""
        return array[(slice(None), slice(None), *self._three())]

    def _three(self) -> list[Any]:
        places = conv_lower.PLACES[self.convdim]
        return [slice(None) if i in places else None for i in range(3)]

    def routine_kernels(self, kernel: Any) -> Any:
        """A view of kernels as the routines take them: in groups, not flipped, with three axes."""
        groups = self.num_groups
        grouped = kernel.reshape(groups, len(kernel) // groups, *kernel.shape[1:])
        flip = slice(None, None, -1 if self.filter_flip else 1)
        grouped = grouped[(..., *[flip] * self.convdim)]
        positions = self._three() if self.unshared else []
        both = slice(None), slice(None)
        return grouped[(*both, *positions, slice(None), *self._three())]

    def lower(self, node: Apply, low: Any) -> None:
        """Routines on views of the operands."""
        getattr(conv_lower, self.direction)(self, node, low)

    direction: ClassVar[str]

    def __str__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__props__)
        return f"{type(self).__name__}{{{values}}}"
