"""Older names of convolutions: CorrMM and its kind (filters not flipped), ConvOp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply
from theano.ops import conv_shape
from theano.ops.basic import as_tensor_variable
from theano.ops.conv import (
    AbstractConv2d,
    AbstractConv2d_gradInputs,
    AbstractConv2d_gradWeights,
    AbstractConv3d,
    AbstractConv3d_gradInputs,
    AbstractConv3d_gradWeights,
    Fixed,
)
from theano.ops.conv_functions import abstract_conv2d
from theano.ops.extents import sizes_of


class _Corr(Fixed):
    """Makes a direction of correlation; shapes are not given."""

    def __init__(
        self, border_mode: Any = "valid", subsample: Any = None, filter_dilation: Any = None,
        num_groups: int = 1, unshared: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(
            None, None, border_mode, subsample, False, filter_dilation, num_groups, unshared
        )

    def _missing(self, found: Sequence[Any]) -> Any:
        """The extents that follow from the others; ValueError where there are several."""
        rank = self.convdim
        extents = list(found[-rank:])
        if any(extent is None for extent in extents):
            raise ValueError(
                f"{self}: shape must be given if there is a stride, or border_mode is 'half'"
            )
        return extents

    def _given(self) -> tuple[Any, ...]:
        return self.border_mode, self.subsample, self.filter_dilation, self.num_groups


class _ToKernels(_Corr):
    def make_node(
        self, img: Any, topgrad: Any, shape: Any = None, add_assert_shape: bool = True
    ) -> Apply:
        if shape is None:
            img, topgrad = as_tensor_variable(img), as_tensor_variable(topgrad)
            shape = self._missing(conv_shape.get_conv_gradweights_shape(
                sizes_of(img), sizes_of(topgrad), *self._given()))  # fmt: skip
        node: Apply = super().make_node(img, topgrad, shape)
        return node


class _ToImages(_Corr):
    def make_node(
        self, kern: Any, topgrad: Any, shape: Any = None, add_assert_shape: bool = True
    ) -> Apply:
        if shape is None:
            kern, topgrad = as_tensor_variable(kern), as_tensor_variable(topgrad)
            shape = self._missing(conv_shape.get_conv_gradinputs_shape(
                sizes_of(kern), sizes_of(topgrad), *self._given()))  # fmt: skip
        node: Apply = super().make_node(kern, topgrad, shape)
        return node


class CorrMM(_Corr, AbstractConv2d):
    """The correlation of images with kernels: inputs (images, kernels).

    >>> import theano.tensor as T
    >>> CorrMM(border_mode="half")(T.tensor4(), T.tensor4()).ndim
    4
    """


class CorrMM_gradWeights(_ToKernels, AbstractConv2d_gradWeights):
    """The gradient of `CorrMM` for kernels; extents may be left out if they follow."""


class CorrMM_gradInputs(_ToImages, AbstractConv2d_gradInputs):
    """The gradient of `CorrMM` for images; extents may be left out if they follow."""


class Corr3dMM(_Corr, AbstractConv3d):
    """`CorrMM` with one axis more."""


class Corr3dMM_gradWeights(_ToKernels, AbstractConv3d_gradWeights):
    """`CorrMM_gradWeights` with one axis more."""


class Corr3dMM_gradInputs(_ToImages, AbstractConv3d_gradInputs):
    """`CorrMM_gradInputs` with one axis more."""


class ConvOp(AbstractConv2d):
    """The oldest convolution op; see `conv2d` for what to use.

    Parameters
    ----------
    imshp
        (channels, rows, columns) or (rows, columns) of the images.
    kshp
        (rows, columns) of the kernels.
    nkern, bsize
        Numbers of kernels and images.
    dx, dy
        Steps along rows and columns.
    output_mode
        ``"valid"`` or ``"full"``.

    Other arguments have no meaning.
    """

    def __init__(
        self, imshp: Any = None, kshp: Any = None, nkern: Any = None, bsize: Any = None,
        dx: int = 1, dy: int = 1, output_mode: str = "valid", **ignored: Any,
    ) -> None:  # fmt: skip
        if output_mode not in ("valid", "full"):
            raise ValueError(f"ConvOp: output_mode must be 'valid' or 'full', not {output_mode!r}")
        channels = None
        if imshp is not None:
            entries = tuple(imshp)
            channels = entries[0] if len(entries) == 3 else 1
            imshp = (bsize, channels, *entries[-2:])
        if kshp is not None:
            kshp = (nkern, channels, *kshp)
        super().__init__(imshp, kshp, output_mode, (dx or 1, dy or 1))

    @staticmethod
    def getOutputShape(
        inshp: Sequence[Any], kshp: Sequence[Any], stride: Sequence[Any] = (1, 1),
        mode: str = "valid",
    ) -> tuple[Any, ...]:  # fmt: skip
        """The extents (rows, columns) of a convolution.

        >>> ConvOp.getOutputShape((28, 28), (5, 5))
        (24, 24)
        """
        return tuple(
            conv_shape.get_conv_shape_1axis(image, kernel, mode, step)
            for image, kernel, step in zip(inshp, kshp, stride, strict=True)
        )


def old_conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None,
    border_mode: str = "valid", subsample: Any = (1, 1), **ignored: Any,
) -> Any:  # fmt: skip
    """The convolution of images (batch, channels, rows, columns) with filters.

    ``border_mode`` is ``"valid"`` or ``"full"``; ValueError otherwise. See
    ``theano.tensor.nnet.conv2d``, which can do more. Other arguments have no meaning.

    >>> import theano.tensor as T
    >>> old_conv2d(T.tensor4(), T.tensor4(), (None, 1, 28, 28), (8, 1, 5, 5)).type.shape
    (None, 8, 24, 24)
    """
    if border_mode not in ("valid", "full"):
        raise ValueError(f"conv2d: border_mode must be 'valid' or 'full', not {border_mode!r}")
    return abstract_conv2d(input, filters, image_shape, filter_shape, border_mode, subsample)
