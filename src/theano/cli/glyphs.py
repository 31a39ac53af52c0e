"""Letters for pictures: a fixed-width font of 5 × 7 pixels, as much of one as the tour writes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

# Per letter seven rows from the top, each a digit in base 32 whose bits are pixels.
GLYPHS: Final = {
    "0": "ehhhhhe", "1": "4c4444e", "2": "eh168gv", "3": "eh161he", "4": "26aiv22",
    "5": "vgu11he", "6": "68guhhe", "7": "v122444", "8": "ehhehhe", "9": "ehhf12c",
    ".": "00000cc", ",": "0000c48", "-": "000e000", ":": "0cc0cc0", "a": "00e1fhf",
    "b": "gguhhhu", "c": "00fgggf", "d": "11fhhhf", "e": "00ehvgf", "f": "68u8888",
    "g": "0fhhf1e", "h": "gguhhhh", "i": "40c444e", "j": "20622ic", "k": "ggikoki",
    "l": "c44444e", "m": "00qllll", "n": "00uhhhh", "o": "00ehhhe", "p": "0uhhugg",
    "q": "0fhhf11", "r": "00moggg", "s": "00fge1u", "t": "88u8886", "u": "00hhhhf",
    "v": "00hhaa4", "w": "00lllla", "x": "00ha4ah", "y": "0hhhf1e", "z": "00v248v",
    "L": "ggggggv", "M": "hrllhhh", "N": "hppljjh", "P": "uhhuggg", "T": "v444444",
    "W": "hhhllla", "C": "ehggghe",
}  # fmt: skip
ROWS: Final = 7


def bitmap(text: str) -> Any:
    """``text`` as bools of shape (7, 6 * len(text)); a letter that the font lacks is a space.

    >>> for row in bitmap("4"):
    ...     print("".join(".#"[pixel] for pixel in row))
    ...#..
    ..##..
    .#.#..
    #..#..
    #####.
    ...#..
    ...#..
    """
    pixels = np.zeros((ROWS, 6 * len(text)), bool)
    for position, letter in enumerate(text):
        for row, digit in enumerate(GLYPHS.get(letter, "")):
            bits = int(digit, 32)
            for column in range(5):
                pixels[row, 6 * position + column] = bits >> (4 - column) & 1
    return pixels
