"""Frames from integer formulas, so that any language can make the same ones."""

import numpy as np

SIZE_PX = 518


def frame(number, width=SIZE_PX, height=SIZE_PX):
    """RGB picture `number` as u8 [height, width, 3]: coloured bands, a disc and some grain on white.

    Every value is an integer expression of column x, row y, channel c and the number; `//` and `%` are those of
    numbers that are not negative.
    """
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    bands = (x * (3 + number) + y * (2 + c) + 60 * c + x * y // (40 + 8 * number)) % 256
    grain = (x * 7919 + y * 104729 + c * 1299709 + number * 15485863) % 251 // 8
    column, row = width // 2 + 9 * number, height // 2 - 5 * number
    is_inside = (x - column) ** 2 + (y - row) ** 2 < (min(width, height) * 2 // 5) ** 2
    return np.where(is_inside, bands // 2 + grain + 40, 255).astype(np.uint8)


def frames(count, width=SIZE_PX, height=SIZE_PX):
    """The first `count` pictures as u8 [count, height, width, 3]."""
    return np.stack([frame(number, width, height) for number in range(count)])
