"""Arrays of HDF5 files: what each is, and its rows."""

import importlib.util
from math import prod

import h5py
import numpy as np

from s2robot.datasets import images
from s2robot.datasets.hdf5 import Member
from s2robot.datasets.hdf5_files import FAULTS, said
from s2robot.datasets.source import STREAM, Recorded

MOST_BYTES = 2**29  # of a row, and of the chunk that it is in
SMALLEST_IMAGE = 5  # pixels of each side; smaller arrays are matrices
SMALLEST_PLANE = 16  # of each side of images without a channel axis
SHORTEST_STREAM = 64  # bytes of a JPEG or PNG file


def declare(found: Member) -> Recorded:
    """What an array is. Rows are read only where they may be JPEG or PNG streams: the first one."""
    if isinstance(found, str):
        return Recorded("other", 0, (), "", found)
    assert isinstance(found, h5py.Dataset)
    try:
        return _declared(found)
    except FAULTS as error:
        return Recorded("other", 0, (), "", f"it cannot be read, the file may be damaged: {said(error)}")


def _declared(found: h5py.Dataset) -> Recorded:
    dtype, shape = found.dtype, found.shape
    if not shape:
        return Recorded("other", 0, (), str(dtype), "it is a single value without a time axis")
    rows, row = int(shape[0]), tuple(map(int, shape[1:]))
    row_bytes = prod(row) * dtype.itemsize
    if max(row_bytes, prod(found.chunks or ()) * dtype.itemsize) > MOST_BYTES:
        told = f"reading one row takes {row_bytes / 2**30:.3g} GiB, or its chunk does: nobody recorded that"
        return Recorded("other", rows, row, str(dtype), told, broken=True)
    if fault := _storage_fault(found):
        return Recorded("other", rows, row, str(dtype), fault, broken=dtype == np.uint8 and len(row) == 3)
    if stream := _stream(found):
        return stream
    if dtype == np.uint8 and len(row) == 3 and row[2] == 3:
        return Recorded("frames", rows, row, "uint8")
    if _is_image(dtype, row):
        return Recorded("other", rows, row, str(dtype), f"{images.EXPECTED}{_how_to_mend(dtype, row)}")
    if dtype.kind in "biuf":
        note = images.no_stream(found[0]) if _may_be_streams(found) else ""
        return Recorded("numbers", rows, row, str(dtype), note)
    return Recorded("other", rows, row, str(dtype), "it holds no numbers")


def read(array: h5py.Dataset, recorded: Recorded, start: int = 0, stop: int | None = None) -> np.ndarray:
    """Rows of an array: frames decoded, numbers as stored. Raises ValueError or OSError."""
    rows = array[start : recorded.rows if stop is None else stop]
    if recorded.note == STREAM:
        return images.decode(list(rows))
    return rows


def _storage_fault(found: h5py.Dataset) -> str:
    """Why not all rows can be read, "" if they can: HDF5 gives zeros for what was never written."""
    if found.chunks is None:  # neither filters nor parts
        return ""
    stored = found.id.get_create_plist()
    for number in range(stored.get_nfilters()):
        code, _, _, name = stored.get_filter(number)
        if not _can_unpack(code):
            called = f"{code} ({name.decode(errors='replace')})" if name else code
            return (
                f"it is compressed with filter {called}, which is missing here: pip install hdf5plugin, "
                f"or store it anew with `h5repack -f GZIP=4 FILE COPY` where it was written"
            )
    written = found.id.get_num_chunks()
    all_ = prod(-(-side // chunk) for side, chunk in zip(found.shape, found.chunks, strict=True))
    if 0 < written < all_:
        return f"only {written} of its {all_} chunks were ever written: its recording was cut off"
    return ""


def _can_unpack(code: int) -> bool:
    """Whether HDF5 has a filter, from the package hdf5plugin where that is installed."""
    if h5py.h5z.filter_avail(code):
        return True
    if importlib.util.find_spec("hdf5plugin") is None:
        return False
    importlib.import_module("hdf5plugin")
    return bool(h5py.h5z.filter_avail(code))


def _may_be_streams(found: h5py.Dataset) -> bool:
    """Whether rows may be files of images: bytes of varying length, or padded to equal length."""
    padded = found.dtype in (np.uint8, np.int8) and found.ndim == 2 and found.shape[1] >= SHORTEST_STREAM
    varying = (
        found.ndim == 1 and (found.dtype.kind in "SV" or found.dtype.hasobject) and not found.dtype.names
    )
    return bool(found.shape[0]) and (padded or varying)


def _stream(found: h5py.Dataset) -> Recorded | None:
    """The declaration of JPEG or PNG streams, one a row; None if these are none."""
    if not _may_be_streams(found):
        return None
    rows, first = int(found.shape[0]), found[0]
    if images.is_stream(first):
        try:
            height, width, deep = images.stream_header(first)
        except (OSError, ValueError) as error:
            return Recorded("other", rows, (), STREAM, f"its first row {error}", broken=True)
        if deep:
            return Recorded("other", rows, (height, width), STREAM, images.DEPTH)
        return Recorded("frames", rows, (height, width, 3), "uint8", STREAM)
    undecoded = bool(images.undecoded(first))
    if undecoded or h5py.check_vlen_dtype(found.dtype) in (np.uint8, np.int8) or found.dtype.kind == "V":
        return Recorded("other", rows, (), STREAM, images.no_stream(first), broken=undecoded)
    return None


def _is_image(dtype: np.dtype, row: tuple[int, ...]) -> bool:
    if dtype.kind not in "biuf":
        return False
    if len(row) == 4:  # several frames a step
        return dtype == np.uint8 and _is_image(dtype, row[1:])
    if len(row) == 3:
        channels_last = row[2] <= 4 and min(row[:2]) >= SMALLEST_IMAGE
        channels_first = row[0] <= 4 and min(row[1:]) >= SMALLEST_IMAGE
        return channels_last or channels_first or dtype == np.uint8
    return len(row) == 2 and (min(row) >= SMALLEST_PLANE or dtype == np.uint8)


def _how_to_mend(dtype: np.dtype, row: tuple[int, ...]) -> str:
    """What to do about frames that are not as they must be, where it can be guessed."""
    steps = []
    if len(row) == 4:
        steps.append("keep one frame a step, [:, -1]")
    if len(row) == 3 and row[0] in (3, 4) and row[2] not in (3, 4):
        steps.append("move the channels behind with .transpose(0, 2, 3, 1)")
    if len(row) == 3 and 4 in (row[0], row[2]):
        steps.append("leave out the fourth channel, [..., :3]")
    if dtype == np.uint8 and (len(row) == 2 or 1 in row):
        steps.append("repeat grey values to three channels, depth is of no use")
    if dtype.kind == "f" and 3 in row:
        steps.append("store 0 to 255 as uint8, not floats")
    elif dtype != np.uint8 and 3 in row:
        steps.append(f"store 0 to 255 as uint8, not {dtype}")
    return ": " + ", ".join(steps) if steps else ""
