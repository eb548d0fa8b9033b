"""A contact sheet: frames of several episodes and all cameras in one picture."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from s2robot.datasets.dataset import Dataset
from s2robot.errors import UserError
from s2robot.files import replacing

EPISODES = 6  # rows, spread over the dataset
MOMENTS = 4  # frames of each camera, from the first to the last
THUMBNAIL = 160  # pixels of a frame's longer side
CAPTION = 18  # pixels above each row
BACKGROUND, INK = (250, 250, 250), (20, 20, 20)


def write_sheet(dataset: Dataset, path: Path) -> None:
    """Write a PNG: a row an episode, the frames of each camera side by side, the top row first.

    Raises `UserError` when there is no camera or `path` is no PNG or exists.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"--sheet {path}: a name that ends in .png is wanted")
    if path.exists():
        raise UserError(f"--sheet {path} exists; delete it or choose another name")
    if not dataset.cameras:
        raise UserError(f"{dataset.path} has no camera, so there is no contact sheet")
    rows = [_row(dataset, i) for i in _spread(len(dataset.episodes), EPISODES)]
    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)), BACKGROUND)
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    with replacing(path) as scratch:
        sheet.save(scratch, format="PNG")


def _row(dataset: Dataset, index: int) -> Image.Image:
    """The frames of an episode, with a line of text above."""
    name, length = dataset.episodes[index], dataset.lengths[index]
    moments = _spread(length, MOMENTS)
    thumbnails, captions = [], []
    for camera in dataset.cameras:
        captions.append(camera)
        for moment in moments:
            frame = Image.fromarray(dataset.read_frames(name, camera, moment, moment + 1)[0])
            frame.thumbnail((THUMBNAIL, THUMBNAIL))
            thumbnails.append(frame)
    height = max(frame.height for frame in thumbnails)
    row = Image.new("RGB", (sum(frame.width + 2 for frame in thumbnails), CAPTION + height + 2), BACKGROUND)
    text = f"{name}, {length} frames, rows {', '.join(map(str, moments))} of {', '.join(captions)}"
    ImageDraw.Draw(row).text((2, 2), text, fill=INK, font=ImageFont.load_default(12))
    left = 0
    for frame in thumbnails:
        row.paste(frame, (left, CAPTION))
        left += frame.width + 2
    return row


def _spread(count: int, most: int) -> list[int]:
    """At most `most` numbers below `count`, the first and the last among them, evenly apart."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()})
