"""Convolution over any number of axes, and its two gradients: ops of their own.

The three are the three directions of one trilinear form: each one's derivatives are the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.graph.nodes import Apply
from theano.graph.tensor_type import TensorType
from theano.ops import conv_shape, sizes
from theano.ops.conv_base import PROPS, BaseAbstractConv
from theano.ops.extents import not_one, size_of
from theano.ops.mismatch import mismatch
from theano.ops.shape_checks import with_pattern_of
from theano.runtime.routines import conv_meaning


def _forward(op: BaseAbstractConv, image: Any, kernel: Any, like: Any) -> Any:
    made = FORWARD[op.convdim](*op.options)(image, kernel)
    return with_pattern_of(made, like)


def _to_images(op: BaseAbstractConv, kernel: Any, result: Any, like: Any) -> Any:
    extents = sizes.vector([size_of(like, i) for i in range(2, like.type.ndim)])
    made = TO_IMAGES[op.convdim](*op.options)(kernel, result, extents)
    return with_pattern_of(made, like)


def _to_kernels(op: BaseAbstractConv, image: Any, result: Any, like: Any) -> Any:
    rank = like.type.ndim
    extents = sizes.vector([size_of(like, i) for i in range(rank - op.convdim, rank)])
    made = TO_KERNELS[op.convdim](*op.options)(image, result, extents)
    return with_pattern_of(made, like)


def _computed(op: BaseAbstractConv, names: tuple[str, str], target: Any, arrays: Any,
              kernel: Sequence[int], places: tuple[int, ...]) -> Any:  # fmt: skip
    """``target`` as a routine means it; ``places``: which arrays, target first, are kernels."""
    wide = [a.astype("float32") if a.dtype == np.float16 else a for a in (target, *arrays)]
    views = [op.routine_kernels(a) if i in places else op.completed(a) for i, a in enumerate(wide)]
    getattr(conv_meaning, names[op.unshared])(*views, *op.numbers(kernel))
    return wide[0]


class AbstractConv(BaseAbstractConv):
    """The convolution of images with kernels: inputs (images, kernels).

    Images are (batch, channels, …), kernels (filters, channels / groups, …), the result (batch,
    filters, …). The dtype is that of both together; complex and bool are a TypeError. Shapes that
    do not fit are a ShapeError while the graph is built where they are known, else a ValueError
    when the function runs.

    >>> import theano.tensor as T
    >>> AbstractConv2d(border_mode="half")(T.tensor4(), T.tensor4()).ndim
    4
    """

    direction = "forward"

    def make_node(self, img: Any, kern: Any) -> Apply:
        img, kern, dtype = self._operands(
            img, kern, (2 + self.convdim, self.kernel_rank), "images kernels"
        )
        image, kernel = self._known(img, self.imshp, "imshp"), self._known(kern, self.kshp, "kshp")
        self._agree(image, kernel, img, kern)
        found = self._result(image, kernel, img, kern)
        if self.unshared:
            self._fits(found, kernel[1 : 1 + self.convdim], img, kern)
        shape = (image[0], kernel[0], *map(not_one, found))
        return Apply(self, [img, kern], [TensorType(dtype, shape=shape)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        image, kernel = input_shapes
        found = conv_shape.get_conv_output_shape(
            image, kernel, self.border_mode, self.subsample, self.filter_dilation
        )
        static = node.outputs[0].type.shape
        return [tuple(f if s is None else s for s, f in zip(static, found, strict=True))]

    def reference(self, node: Apply, img: Any, kern: Any) -> Any:
        shape = self._check(img.shape, kern.shape)
        result = np.empty(shape, node.outputs[0].type.numpy_dtype)
        extents = kern.shape[-self.convdim :]
        return _computed(self, ("conv", "local"), result, (img, kern), extents, (2,))

    def terms(self, inputs: Any, g: Any) -> list[Any]:
        """Each gradient is one of the other two ops."""
        img, kern = inputs
        return [_to_images(self, kern, g, img), _to_kernels(self, img, g, kern)]


class AbstractConv_gradWeights(BaseAbstractConv):
    """The gradient for kernels: inputs (images, gradient of the result, extents of kernels)."""

    direction = "weights"

    def make_node(self, img: Any, topgrad: Any, shape: Any, add_assert_shape: bool = True) -> Apply:
        img, top, dtype = self._operands(
            img, topgrad, (2 + self.convdim, 2 + self.convdim), "images output-gradients"
        )
        shape = self._spatial(shape)
        image = self._known(img, self.imshp, "imshp")
        extents = [sizes.known(e) for e in self._entries(shape)]
        result = list(top.type.shape)
        own = None if image[1] is None else image[1] // self.num_groups
        positions = result[2:] if self.unshared else []
        kernel = [result[1], *positions, own, *extents]
        for axis, wanted in enumerate(self.kshp or ()):
            if None not in (wanted, kernel[axis]) and wanted != kernel[axis]:
                raise mismatch(f"{self.what}: kshp {self.kshp}, but kernels are {kernel}", img, top)
            kernel[axis] = kernel[axis] if wanted is None else wanted
        self._agree(image, kernel, img, top)
        found = self._result(image, kernel, img, top)
        self._fits([image[0], kernel[0], *found], result, img, top)
        kernel[1:] = map(not_one, kernel[1:])
        return Apply(self, [img, top, shape], [TensorType(dtype, shape=tuple(kernel))()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        image, result, _ = input_shapes
        positions = result[2:] if self.unshared else ()
        own = sizes.floordiv(image[1], self.num_groups)
        found = (result[1], *positions, own, *self._entries(node.inputs[2]))
        static = node.outputs[0].type.shape
        return [tuple(f if s is None else s for s, f in zip(static, found, strict=True))]

    def reference(self, node: Apply, img: Any, top: Any, shape: Any) -> Any:
        extents = tuple(map(int, shape))
        positions = top.shape[2:] if self.unshared else ()
        full = (top.shape[1], *positions, img.shape[1] // self.num_groups, *extents)
        self._check(img.shape, full, top.shape)
        kernel = np.empty(full, node.outputs[0].type.numpy_dtype)
        names = ("conv_weights", "local_weights")
        return _computed(self, names, kernel, (img, top), extents, (0,))

    def terms(self, inputs: Any, g: Any) -> list[Any]:
        """Each gradient is one of the other two ops."""
        img, top, _ = inputs
        return [_to_images(self, g, top, img), _forward(self, img, g, top)]


class AbstractConv_gradInputs(BaseAbstractConv):
    """The gradient for images: inputs (kernels, gradient of the result, extents of images)."""

    direction = "data"

    def make_node(
        self, kern: Any, topgrad: Any, shape: Any, add_assert_shape: bool = True
    ) -> Apply:
        kern, top, dtype = self._operands(
            kern, topgrad, (self.kernel_rank, 2 + self.convdim), "kernels output-gradients"
        )
        shape = self._spatial(shape)
        kernel = self._known(kern, self.kshp, "kshp")
        result = list(top.type.shape)
        extents = [sizes.known(e) for e in self._entries(shape)]
        own = kernel[-self.convdim - 1]
        image = [result[0], None if own is None else own * self.num_groups, *extents]
        for axis, wanted in enumerate(self.imshp or ()):
            if None not in (wanted, image[axis]) and wanted != image[axis]:
                if not self._binding(axis, wanted or 0, "imshp"):
                    continue
                raise mismatch(f"{self.what}: imshp {self.imshp}, but images are {image}", kern)
            if wanted is not None and self._binding(axis, wanted, "imshp"):
                image[axis] = wanted
        self._agree(image, kernel, kern, top)
        found = self._result(image, kernel, kern, top)
        self._fits([image[0], kernel[0], *found], result, kern, top)
        if self.unshared:
            self._fits(kernel[1 : 1 + self.convdim], result[2:], kern, top)
        image[1:] = map(not_one, image[1:])
        if own == 1 == self.num_groups:
            image[1] = 1
        return Apply(self, [kern, top, shape], [TensorType(dtype, shape=tuple(image))()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        kernel, result, _ = input_shapes
        channels = sizes.mul(kernel[-self.convdim - 1], self.num_groups)
        found = (result[0], channels, *self._entries(node.inputs[2]))
        static = node.outputs[0].type.shape
        return [tuple(f if s is None else s for s, f in zip(static, found, strict=True))]

    def reference(self, node: Apply, kern: Any, top: Any, shape: Any) -> Any:
        channels = kern.shape[-self.convdim - 1] * self.num_groups
        full = (top.shape[0], channels, *map(int, shape))
        self._check(full, kern.shape, top.shape)
        image = np.empty(full, node.outputs[0].type.numpy_dtype)
        extents = kern.shape[-self.convdim :]
        return _computed(self, ("conv_data", "local_data"), image, (top, kern), extents, (2,))

    def terms(self, inputs: Any, g: Any) -> list[Any]:
        """Each gradient is one of the other two ops."""
        kern, top, _ = inputs
        return [_to_kernels(self, g, top, kern), _forward(self, g, kern, top)]


class Fixed(BaseAbstractConv):
    """Makes a direction over a fixed number of axes: the class says how many."""

    axes: ClassVar[int]
    __props__: ClassVar[tuple[str, ...]] = PROPS

    def __init__(
        self, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid",
        subsample: Any = None, filter_flip: bool = True, filter_dilation: Any = None,
        num_groups: int = 1, unshared: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            self.axes, imshp, kshp, border_mode, subsample, filter_flip, filter_dilation,
            num_groups, unshared,
        )  # fmt: skip


class AbstractConv1d(Fixed, AbstractConv):
    """`AbstractConv` over 1 axis."""

    axes = 1


class AbstractConv1d_gradWeights(Fixed, AbstractConv_gradWeights):
    """`AbstractConv_gradWeights` over 1 axis."""

    axes = 1


class AbstractConv1d_gradInputs(Fixed, AbstractConv_gradInputs):
    """`AbstractConv_gradInputs` over 1 axis."""

    axes = 1


class AbstractConv2d(Fixed, AbstractConv):
    """`AbstractConv` over 2 axes."""

    axes = 2


class AbstractConv2d_gradWeights(Fixed, AbstractConv_gradWeights):
    """`AbstractConv_gradWeights` over 2 axes."""

    axes = 2


class AbstractConv2d_gradInputs(Fixed, AbstractConv_gradInputs):
    """`AbstractConv_gradInputs` over 2 axes."""

    axes = 2


class AbstractConv3d(Fixed, AbstractConv):
    """`AbstractConv` over 3 axes."""

    axes = 3


class AbstractConv3d_gradWeights(Fixed, AbstractConv_gradWeights):
    """`AbstractConv_gradWeights` over 3 axes."""

    axes = 3


class AbstractConv3d_gradInputs(Fixed, AbstractConv_gradInputs):
    """`AbstractConv_gradInputs` over 3 axes."""

    axes = 3


FORWARD: Final = {1: AbstractConv1d, 2: AbstractConv2d, 3: AbstractConv3d}
TO_KERNELS: Final = {
    1: AbstractConv1d_gradWeights, 2: AbstractConv2d_gradWeights, 3: AbstractConv3d_gradWeights,
}  # fmt: skip
TO_IMAGES: Final = {
    1: AbstractConv1d_gradInputs, 2: AbstractConv2d_gradInputs, 3: AbstractConv3d_gradInputs,
}  # fmt: skip
