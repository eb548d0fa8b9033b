"""Columns of episodes that are copied into a new set as they are, and what of them it cannot hold."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from s2robot.datasets.lerobot.assembly import Assembly
from s2robot.datasets.lerobot.columns import schema_of
from s2robot.datasets.lerobot.episode_rows import IMAGE_ROWS, NUMBERING
from s2robot.datasets.lerobot.images import BUFFER_BYTES, image_bytes, image_column, is_image_column
from s2robot.datasets.lerobot.source import LeRobot
from s2robot.datasets.lerobot.tables import Table
from s2robot.errors import UserError

Chosen = Sequence[tuple[LeRobot, int]]  # episodes by their numbers in their sources


def common_schema(source: LeRobot, i: int) -> pa.Schema:
    """Columns of the new data files: those that are declared and there, and those that number rows."""
    table = Table(source.catalogue.stated[i].data)
    found = table.schema
    table.close()
    keys = [key for key in source.meta.features if key in found.names and key not in NUMBERING]
    described = (found.metadata or {}).get(b"huggingface")
    numbering = schema_of(NUMBERING)
    fields = [found.field(key) for key in keys] + list(numbering)
    return pa.schema(fields, {b"huggingface": described} if described else None)


def with_holes(chosen: Chosen, schema: pa.Schema) -> dict[str, str]:
    """Columns of numbers that some rows have none of, or another number of, and where."""
    holes: dict[str, str] = {}
    for source, i in chosen:
        for key, recorded in source.episodes[i].arrays.items():
            if recorded.kind == "numbers" and key in schema.names and key not in holes:
                try:
                    source.read(i, key)
                except UserError as error:
                    holes[key] = str(error)
    return holes


def narrowed(chosen: Chosen) -> list[str]:
    """A line for each column that the first set keeps in a type of less exact numbers than another."""
    first, i = chosen[0]
    narrowed = {}
    for source, number in chosen:
        for key, recorded in source.episodes[number].arrays.items():
            kept = first.episodes[i].arrays.get(key, recorded)
            numeric = kept.kind == recorded.kind == "numbers"
            if numeric and not np.can_cast(recorded.dtype, kept.dtype, "safe"):
                narrowed[key] = f"{recorded.dtype} of {source.path} becomes {kept.dtype}: {key}"
    return list(narrowed.values())


def tables(
    source: LeRobot, i: int, schema: pa.Schema, numbering: Mapping[str, np.ndarray]
) -> Iterator[pa.Table]:
    """The rows of an episode with new numbers; images in pieces, so that few are in memory."""
    stated, rows = source.catalogue.stated[i], source.catalogue.rows[i]
    table = Table(stated.data, BUFFER_BYTES)
    images = [key for key in schema.names if is_image_column(schema.field(key).type)]
    plain = [key for key in schema.names if key not in images and key not in numbering]
    if missing := [key for key in (*images, *plain) if key not in table.columns]:
        raise UserError(f"{stated.data} has no column {missing[0]!r}, which others of the set have")
    found = table.read(plain, rows.first, rows.first + rows.count) if plain else {}
    streams = {key: table.stream(key, rows.first, IMAGE_ROWS) for key in images}
    step = IMAGE_ROWS if images else rows.count
    for start in range(0, rows.count, step):
        count = min(step, rows.count - start)
        columns = {key: found[key].slice(start, count) for key in plain}
        columns |= {key: pa.array(values[start : start + count]) for key, values in numbering.items()}
        for key, cells in streams.items():
            where = f"{stated.data}: {key}, rows {start} on"
            encoded = [image_bytes(source.folder, next(cells).as_py(), where) for _ in range(count)]
            columns[key] = image_column(encoded, schema.field(key).type)
        where = f"{stated.data}, {stated.name}"
        yield pa.table([_cast(columns[key], schema.field(key), where) for key in schema.names], schema=schema)
    table.close()


def _cast(values: pa.Array, field_: pa.Field, where: str) -> pa.Array:
    try:
        return values.cast(field_.type)
    except pa.ArrowException as error:
        told = (
            f"{where}, {field_.name}: found {values.type}, which does not fit {field_.type} of the first set"
        )
        raise UserError(f"{told}: {error}") from error


def renumbered(source: LeRobot, i: int, new: Assembly) -> dict[str, np.ndarray]:
    """The columns that number rows, in the new set."""
    stated, rows = source.catalogue.stated[i], source.catalogue.rows[i]
    frame = np.arange(rows.count)
    table = Table(stated.data)
    span = (rows.first, rows.first + rows.count)
    times_s, tasks = (frame / source.meta.fps).astype(np.float32), np.full(rows.count, -1)
    if "timestamp" in table.columns:
        times_s = table.numbers("timestamp", *span).reshape(-1).astype(np.float32)
    if "task_index" in table.columns:
        tasks = table.numbers("task_index", *span).reshape(-1).astype(np.int64)
    table.close()
    stated_text = next(iter(stated.tasks), "")  # for rows whose task no one tells
    texts = {int(index): source.catalogue.tasks.get(int(index), stated_text) for index in np.unique(tasks)}
    renumbered = {index: new.task_index(text) for index, text in texts.items()}
    return {
        "timestamp": times_s,
        "frame_index": frame,
        "episode_index": np.full(rows.count, new.episodes),
        "index": new.rows + frame,
        "task_index": np.array([renumbered[int(index)] for index in tasks]),
    }
