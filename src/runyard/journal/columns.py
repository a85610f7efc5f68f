"""Many points of one series as rows, encoded as arrays."""

import zlib

import numpy as np
from numpy.typing import ArrayLike

from runyard.journal import checksums
from runyard.journal import format as fmt

_ROW = np.dtype(
    [
        ("kind", "u1"),
        ("reserved", "u1"),
        ("schema", "<u2"),
        ("size", "<u4"),
        ("step", "<i8"),
        ("time", "<i8"),
        ("value", "<f8"),
        ("crc", "<u4"),
    ]
)
_BODY_BYTES = _ROW.itemsize - fmt.CRC.size
_PLACES = (8, 16, 24)  # of step, time and value
_FEW = 50  # rows whose checksums are as fast one by one


def encode_points(schema: int, steps: ArrayLike, times_ns: ArrayLike, values: ArrayLike) -> bytes:
    """The rows of `schema`, which has one key: what `Schema.encode` gives for each point, joined.

    All three have shape (n,).

    Raises:
        OverflowError: a step or a time does not fit into 64 bits.
        ValueError: they are of different lengths.
    """
    columns = (
        np.ascontiguousarray(steps, "<i8"),
        np.ascontiguousarray(times_ns, "<i8"),
        np.ascontiguousarray(values, "<f8"),
    )
    if len({column.shape for column in columns}) > 1:
        raise ValueError(f"steps, times and values of shapes {', '.join(str(column.shape) for column in columns)}")
    rows = np.zeros(len(columns[0]), _ROW)
    rows["kind"], rows["schema"], rows["size"] = fmt.KIND_ROW, schema, _ROW.itemsize
    template = rows[:1].tobytes()[:_BODY_BYTES]
    rows["step"], rows["time"], rows["value"] = columns
    if len(rows) < _FEW:
        bodies = rows.view(np.uint8).reshape(-1, _ROW.itemsize)[:, :_BODY_BYTES]
        rows["crc"] = [zlib.crc32(body.tobytes(), fmt.RESIDUE) for body in bodies]
        return rows.tobytes()
    rows["crc"] = zlib.crc32(template, fmt.RESIDUE)
    for place, column in zip(_PLACES, columns, strict=True):
        behind = _BODY_BYTES - place - column.itemsize
        rows["crc"] ^= checksums.shares(column.view(np.uint8).reshape(-1, 8), checksums.CRC32, behind=behind)
    return rows.tobytes()
