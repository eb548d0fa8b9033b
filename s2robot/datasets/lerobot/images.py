"""Frames that are stored as PNG or JPEG in a column of the data files, or as files that it names."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8
from PIL import Image

from s2robot.datasets.images import DEPTH, TOO_DEEP, is_deep, loses_bits, reason, undecoded
from s2robot.datasets.lerobot.files import Folder, check_head
from s2robot.datasets.lerobot.footer import null_counts
from s2robot.datasets.lerobot.tables import Table
from s2robot.datasets.limits import check_size
from s2robot.errors import UserError

BATCH = 16  # encoded images in memory at a time
BUFFER_BYTES = 4 << 20
FORMATS = ("PNG", "JPEG")
SMALLEST = 5  # pixels of each side of images that are kept as numbers; smaller tables are matrices
AS_NUMBERS = (
    "images kept as plain numbers, which are not read: store them as dtype 'image' (PNG or JPEG in the same "
    "column) or 'video', as LeRobot records cameras"
)


def is_image_column(type_: pa.DataType) -> bool:
    """Whether a column can hold images: struct<bytes, path>, or bytes alone."""
    if pa.types.is_struct(type_):
        return bool({"bytes", "path"} & {type_.field(i).name for i in range(type_.num_fields)})
    return pa.types.is_binary(type_) or pa.types.is_large_binary(type_)


def are_pixels(shape: Sequence[int]) -> bool:
    """Whether the numbers of a row are an image: one to four channels, first or last, and two sides."""
    if len(shape) != 3:
        return False
    return any(
        c <= 4 and min(sides) >= SMALLEST for c, sides in ((shape[2], shape[:2]), (shape[0], shape[1:]))
    )


def image_column(encoded: Sequence[bytes], type_: pa.DataType) -> pa.Array:
    """Encoded images as a column of a type that `is_image_column` knows."""
    cells = [{"bytes": one, "path": None} for one in encoded] if pa.types.is_struct(type_) else encoded
    return pa.array(cells, type_)


def missing_images(table: Table) -> dict[str, str]:
    """Columns of images in which some are missing, and how many, as far as the file's footer counts them."""
    keys = [field.name for field in table.schema if is_image_column(field.type)]
    if not keys:
        return {}
    try:
        nulls = null_counts(table.path)
    except (OSError, ValueError):  # where it makes no sense reading tells
        return {}
    found = {}
    for key in keys:
        without = nulls.get((key, "bytes"), nulls.get((key,), 0))
        if without == table.rows:  # images that are files of their own
            without = nulls.get((key, "path"), 0)
        if without > 0:
            found[key] = f"{without} of its {table.rows} rows have no image"
    return found


class ImageColumn:
    """One image column of one data file; a read continues where the last one stopped."""

    def __init__(self, folder: Folder, path: Path, key: str) -> None:
        self._folder, self._key = folder, key
        self._table = Table(path, BUFFER_BYTES)
        self._row = -1
        self._cells: Iterator[Any] = iter(())

    def read(self, start: int, stop: int) -> UInt8[np.ndarray, "t h w 3"]:
        """Rows start to stop of the file, decoded; raises `UserError` naming the row that cannot be."""
        if start != self._row:
            self._cells = self._table.stream(self._key, start, BATCH)
        self._row = -1  # an error below leaves no place to go on from
        frames: np.ndarray | None = None
        for i in range(stop - start):
            where = f"{self._table.path}: {self._key}, row {start + i}"
            with open_image(self._folder, next(self._cells).as_py(), where) as image:
                frame = np.asarray(_colour(image, where))
            if frames is None:
                frames = np.empty((stop - start, *frame.shape), np.uint8)
            if frame.shape != frames.shape[1:]:
                raise UserError(f"{where}: shape {frame.shape}; expected {frames.shape[1:]} as before")
            frames[i] = frame
        self._row = stop
        return np.empty((0, 0, 0, 3), np.uint8) if frames is None else frames

    def close(self) -> None:
        self._table.close()


def open_image(folder: Folder, cell: Any, where: str) -> Image.Image:
    """The image of a cell, its header read and its pixels not yet."""
    content = image_bytes(folder, cell, where)
    if loses_bits(content):
        raise UserError(f"{where}: {TOO_DEEP}")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        check_size(image.height, image.width)
        return image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if kind := undecoded(content):
            raise UserError(f"{where}: {kind}; only {' and '.join(FORMATS)} are decoded") from error
        raise UserError(f"{where}: no readable {' or '.join(FORMATS)} image: {reason(error)}") from error


def image_bytes(folder: Folder, cell: Any, where: str) -> bytes:
    """The encoded image of a cell: its bytes, or those of the file that it names."""
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if content is None:
        name = cell.get("path") if isinstance(cell, dict) else None
        if not name:
            raise UserError(f"{where}: no image; expected bytes or a path")
        path = folder.inside(name, where)
        check_head(path)
        content = path.read_bytes()
    if not isinstance(content, bytes):
        raise UserError(f"{where}: found {type(content).__name__}, expected the bytes of an image")
    return content


def _colour(image: Image.Image, where: str) -> Image.Image:
    if is_deep(image):
        raise UserError(f"{where}: a {image.mode} image, {DEPTH}")
    try:
        return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        raise UserError(f"{where}: the image is damaged: {error}") from error
