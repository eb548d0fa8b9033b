"""Frames as files keep them: which way up, and as JPEG or PNG streams."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from s2robot.datasets.limits import check_size

DEEP = ("I", "F")  # starts of Pillow's modes with more than 8 bits a value
DEPTH = "depth, no colours"
PNG_BITS, PNG_COLOURS = 24, 25  # bytes of a PNG file: bits a channel, and type of colours
COLOURED = (2, 6)  # of these types: RGB and RGBA
TOO_DEEP = "a PNG of 16 bits a colour, of which 8 would be lost; store frames as uint8"
EXPECTED = "frames must be uint8 of shape (t, h, w, 3)"
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

Frames = UInt8[np.ndarray, "t h w 3"]

# Axes of (h, w, 3) along which stored frames are flipped to have the top row first, by the name of that
TRANSFORMS: dict[str, tuple[int, ...]] = {"": (), "flip_rows": (0,), "rotate_180": (0, 1)}
BASE64 = (b"/9j/", b"iVBORw0KGgo", b"UklGR", b"data:image/")  # how JPEG, PNG, WebP and a link of one begin
TRANSFORM_OF = {"upright": "", "flipped_rows": "flip_rows", "rotated_180": "rotate_180"}  # by orientation


def upright(frames: Frames, transform: str) -> Frames:
    """Stored frames with the top row first, contiguous."""
    axes = tuple(axis - 3 for axis in TRANSFORMS[transform])
    return np.ascontiguousarray(np.flip(frames, axes)) if axes else frames


def is_stream(row: object) -> bool:
    """Whether one row of an array is a JPEG or PNG file (uint8 array or bytes, maybe padded with zeros)."""
    return _bytes(row)[:8].startswith((JPEG, PNG))


def undecoded(row: object) -> str:
    """What kind of image one row of an array is that is not decoded; "" for anything else."""
    start = _bytes(row)[:12]
    if start.startswith(b"RIFF") and start.endswith(b"WEBP"):
        return "a WebP image"
    return "an image as base64 text" if start.startswith(BASE64) else ""


def no_stream(row: object) -> str:
    """What the first row of an array holds that is no JPEG or PNG file."""
    if kind := undecoded(row):
        return f"its first row holds {kind}: only JPEG and PNG are decoded, stored as bytes"
    zeros = ", all of them zero" if not _bytes(row).strip(b"\0") else ""
    return f"its first row holds bytes that are no JPEG or PNG{zeros}"


def is_deep(image: Image.Image) -> bool:
    """Whether it holds more than 8 bits a value: depth, which has no colours."""
    return image.mode.startswith(DEEP)


def loses_bits(content: bytes) -> bool:
    """Whether it is a PNG of 16 bits a colour, of which Pillow keeps the upper 8 without a word."""
    head = content[: PNG_COLOURS + 1]
    return len(head) > PNG_COLOURS and head.startswith(PNG) and head[PNG_BITS] == 16 and head[-1] in COLOURED


def reason(error: Exception) -> str:
    """Why Pillow could not read an image, in words that say nothing of how it was read."""
    return "its header is damaged" if isinstance(error, UnidentifiedImageError) else str(error)


def stream_header(row: object) -> tuple[int, int, bool]:
    """Height and width of a JPEG or PNG stream, and whether it is depth. Raises ValueError."""
    with _opened(row) as image:
        return image.height, image.width, is_deep(image)


def decode(rows: Sequence[object]) -> Frames:
    """JPEG or PNG streams as RGB frames. Raises ValueError for one that cannot be decoded, with its row."""
    frames = []
    for i, row in enumerate(rows):
        try:
            with _opened(row) as image:
                if is_deep(image):
                    raise ValueError(f"a {image.mode} image, {DEPTH}")
                frames.append(np.asarray(image.convert("RGB")))
        except ValueError as error:
            raise ValueError(f"row {i} {error}") from error
        if frames[i].shape != frames[0].shape:
            raise ValueError(f"row {i} is {frames[i].shape[:2]} pixels, row 0 {frames[0].shape[:2]}")
    return np.stack(frames)


@contextmanager
def _opened(row: object) -> Iterator[Image.Image]:
    """The image in a stream. Raises ValueError with the end of a sentence that begins with the row."""
    if not is_stream(row):
        raise ValueError("holds bytes that are no JPEG or PNG")
    if loses_bits(_bytes(row)):
        raise ValueError(f"is {TOO_DEEP}")
    try:
        with Image.open(io.BytesIO(_bytes(row)), formats=("JPEG", "PNG")) as image:
            check_size(image.height, image.width)
            yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be decoded as JPEG or PNG: {reason(error)}") from error


def _bytes(row: object) -> bytes:
    if isinstance(row, bytes):
        return row
    if (isinstance(row, np.ndarray) and row.dtype in (np.uint8, np.int8)) or isinstance(row, np.void):
        return row.tobytes()
    return b""
