"""Rows of arrays as columns of parquet, typed as LeRobot's recorder types them."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from s2robot.datasets.lerobot.info import Feature
from s2robot.errors import UserError

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
PNG_LEVEL = 1  # of zlib: three times as fast as its usual 6, a tenth larger


def schema_of(features: Mapping[str, Feature]) -> pa.Schema:
    """The columns of the data files; videos have none. Names the types for Hugging Face's `datasets`."""
    stored = {key: feature for key, feature in features.items() if feature.dtype != "video"}
    described = {"info": {"features": {key: _hugging_face(one) for key, one in stored.items()}}}
    return pa.schema(
        [pa.field(key, _type(feature)) for key, feature in stored.items()],
        metadata={"huggingface": json.dumps(described)},
    )


def column(feature: Feature, values: np.ndarray) -> pa.Array:
    """Rows of one feature as its column; numbers as `fitting` gives them."""
    if feature.dtype == "image":
        return pa.array([{"bytes": _png(frame), "path": None} for frame in values], IMAGE)
    if feature.dtype == "string":
        return pa.array([str(value) for value in values], pa.string())
    type_ = _type(feature)
    if pa.types.is_fixed_size_list(type_):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=type_)
    return pa.array(values.tolist() if len(feature.shape) > 1 else values.ravel(), type_)


def fitting(key: str, feature: Feature, values: np.ndarray, where: str) -> np.ndarray:
    """Rows "t ..." of the declared type and shape."""
    rows = np.asarray(values)
    if rows.size != len(rows) * int(np.prod(feature.shape)):
        raise UserError(f"{where}, {key}: rows have shape {rows.shape[1:]}; expected {feature.shape}")
    if not np.can_cast(rows.dtype, feature.dtype, "same_kind"):
        raise UserError(f"{where}, {key}: found {rows.dtype}; expected {feature.dtype}")
    with np.errstate(over="ignore"):
        fitted = rows.astype(feature.dtype)
    if rows.dtype.kind == "f" and (too_large := np.isfinite(rows) & ~np.isfinite(fitted)).any():
        raise UserError(f"{where}, {key}: found {rows[too_large][0]:.4g}, which {feature.dtype} cannot hold")
    return fitted.reshape(-1, *feature.shape)


def _type(feature: Feature) -> pa.DataType:
    if feature.dtype == "image":
        return IMAGE
    if feature.dtype == "string":
        return pa.string()
    type_ = pa.from_numpy_dtype(np.dtype(feature.dtype))
    if len(feature.shape) == 1:
        return type_ if feature.shape == (1,) else pa.list_(type_, feature.shape[0])
    for _ in feature.shape:
        type_ = pa.list_(type_)
    return type_


def _hugging_face(feature: Feature) -> dict[str, Any]:
    """A type in the words of Hugging Face's `datasets`."""
    if feature.dtype == "image":
        return {"_type": "Image"}
    value = {"dtype": feature.dtype, "_type": "Value"}
    if len(feature.shape) > 1:
        kind = f"Array{len(feature.shape)}D"
        return {"shape": list(feature.shape), "dtype": feature.dtype, "_type": kind}
    return value if feature.shape == (1,) else {"feature": value, "length": feature.shape[0], "_type": "List"}


def _png(frame: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(frame).save(content, "png", compress_level=PNG_LEVEL)
    return content.getvalue()
