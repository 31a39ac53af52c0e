"""Patches of images as rows of a matrix."""

from collections.abc import Mapping
from typing import Any, ClassVar

from theano.ops.neighbours import MODES, images2neibs, neibs2images

__all__ = ["Images2Neibs", "images2neibs", "neibs2images"]


class Images2Neibs:
    """``Images2Neibs(mode)(images, shape, step)``: what `images2neibs` gives."""

    BORDER_MODE: ClassVar[Mapping[str, int]] = dict(zip(MODES, range(len(MODES)), strict=True))

    def __init__(self, mode: str = "valid") -> None:
        if mode not in MODES:
            raise NotImplementedError(f"Only the modes {MODES} have been implemented, not {mode!r}")
        self.mode = mode

    def __call__(self, ten4: Any, neib_shape: Any, neib_step: Any = None) -> Any:
        return images2neibs(ten4, neib_shape, neib_step, self.mode)
