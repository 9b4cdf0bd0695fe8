"""Thumbnails: decode, resize and encode, as for uploaded photos."""

import io
import random
from functools import lru_cache


def resize(width: int = 1024, height: int = 768, to: int = 256, seed: int = 0) -> int:
    """Decode a JPEG of ``width`` × ``height`` pixels, resize it to a width of ``to`` pixels, encode it as
    JPEG; Pillow releases the GIL for that. The picture is drawn from ``seed``. Returns the size in bytes.
    """
    return len(thumbnail(photo(width, height, seed), to))


@lru_cache(maxsize=4)
def photo(width: int, height: int, seed: int) -> bytes:
    """A JPEG as soft as photos are: a coarse grid of random colours, enlarged. Made once in a process."""
    from PIL import Image

    colours = random.Random(seed).randbytes(24 * 18 * 3)
    grid = Image.frombytes("RGB", (24, 18), colours)
    return _jpeg(grid.resize((width, height), Image.Resampling.BICUBIC))


def thumbnail(jpeg: bytes, width: int) -> bytes:
    """The picture at ``width`` pixels, its proportions kept."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as picture:
        size = width, max(1, round(picture.height * width / picture.width))
        return _jpeg(picture.resize(size, Image.Resampling.LANCZOS))


def _jpeg(picture) -> bytes:  # type: ignore[no-untyped-def]  # Pillow is imported only where it is used
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
