"""Our records as MessagePack, arrays of NumPy included; both sides use this."""

from typing import Any

import msgspec
import numpy as np

from runyard.index.series import Buckets, Series

_KINDS = ("<i8", "<f8")


class _Array(msgspec.Struct, array_like=True):
    kind: str
    data: bytes


def encode(value: object) -> bytes:
    """Anything that a client answers with; series and buckets become maps of arrays."""
    return _encoder.encode(value)


def series_of(plain: dict[str, Any]) -> Series:
    """A series that travelled.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return Series(**_arrays(plain))


def buckets_of(plain: dict[str, Any]) -> Buckets:
    """Buckets that travelled.

    Raises:
        msgspec.ValidationError: they are none.
    """
    return Buckets(**_arrays(plain))


def _to_plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _Array(value.dtype.str, value.tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} does not travel")


def _arrays(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: _array(value) for name, value in plain.items()}


def _array(value: object) -> Any:
    found = msgspec.convert(value, _Array)
    if found.kind not in _KINDS:
        raise msgspec.ValidationError(f"an array of {found.kind[:10]}")
    return np.frombuffer(found.data, dtype=found.kind)


_encoder = msgspec.msgpack.Encoder(enc_hook=_to_plain)
