"""Letters for pictures: a fixed-width font of 5 × 8 pixels, as much of one as the tour writes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

# Per letter eight rows from the top, each a digit in base 32 whose bits are pixels.
GLYPHS: Final = {
    "0": "ehhhhhe0", "1": "4c4444e0", "2": "eh168gv0", "3": "eh161he0", "4": "26aiv220",
    "5": "vgu11he0", "6": "68guhhe0", "7": "v1224440", "8": "ehhehhe0", "9": "ehhf12c0",
    ".": "00000cc0", ",": "00000c48", "-": "000e0000", ":": "0cc0cc00", "(": "24888420",
    ")": "84222480", "a": "00e1fhf0", "b": "gguhhhu0", "c": "00fgggf0", "d": "11fhhhf0",
    "e": "00ehvgf0", "f": "68u88880", "g": "00fhhf1e", "h": "gguhhhh0", "i": "40c444e0",
    "j": "20622ic0", "k": "ggikoki0", "l": "c44444e0", "m": "00qllll0", "n": "00uhhhh0",
    "o": "00ehhhe0", "p": "00uhhugg", "q": "00fhhf11", "r": "00moggg0", "s": "00fge1u0",
    "t": "88u88860", "u": "00hhhhf0", "v": "00hhaa40", "w": "00lllla0", "x": "00ha4ah0",
    "y": "00hhhf1e", "z": "00v248v0", "L": "ggggggv0", "M": "hrllhhh0", "N": "hppljjh0",
    "P": "uhhuggg0", "T": "v4444440", "W": "hhhllla0", "C": "ehggghe0",
}  # fmt: skip
ROWS: Final = 8


def bitmap(text: str) -> Any:
    """``text`` as bools of shape (8, 6 * len(text)); a letter that the font lacks is a space.

    >>> for row in bitmap("4"):
    ...     print("".join("-#"[int(pixel)] for pixel in row))
    ---#--
    --##--
    -#-#--
    #--#--
    #####-
    ---#--
    ---#--
    ------
    """
    pixels = np.zeros((ROWS, 6 * len(text)), bool)
    for position, letter in enumerate(text):
        for row, digit in enumerate(GLYPHS.get(letter, "")):
            bits = int(digit, 32)
            for column in range(5):
                pixels[row, 6 * position + column] = bits >> (4 - column) & 1
    return pixels
