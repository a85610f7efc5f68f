"""Many points of one series as rows, encoded as arrays."""

import zlib

import numpy as np
from numpy.typing import ArrayLike

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


def encode_points(schema: int, steps: ArrayLike, times_ns: ArrayLike, values: ArrayLike) -> bytes:
    """The rows of `schema`, which has one key: what `Schema.encode` gives for each point, joined.

    All three have shape (n,).

    Raises:
        OverflowError: a step or a time does not fit into 64 bits.
        ValueError: they are of different lengths.
    """
    columns = np.asarray(steps, np.int64), np.asarray(times_ns, np.int64), np.asarray(values, np.float64)
    if len({column.shape for column in columns}) > 1:
        raise ValueError(f"steps, times and values of shapes {', '.join(str(column.shape) for column in columns)}")
    rows = np.empty(len(columns[0]), _ROW)
    rows["kind"], rows["reserved"], rows["schema"], rows["size"] = fmt.KIND_ROW, 0, schema, _ROW.itemsize
    rows["step"], rows["time"], rows["value"] = columns
    data = memoryview(rows.tobytes())
    body, size, crc32 = _ROW.itemsize - 4, _ROW.itemsize, zlib.crc32
    rows["crc"] = [crc32(data[at : at + body], fmt.RESIDUE) for at in range(0, len(data), size)]
    return rows.tobytes()
