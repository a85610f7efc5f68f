"""Sounds from arrays and tensors, as WAV."""

import io
import wave
from typing import Any

import numpy as np

from runyard.errors import UsageError

MAX_SAMPLES = 8_000_000  # a minute and a half of stereo
_MAX_CHANNELS = 8
_LARGEST = 32_767


def encode_audio(samples: Any, *, rate_hz: int) -> tuple[bytes, dict[str, Any]]:
    """WAV bytes of 16 bits a sample, and {"rate_hz", "channels", "frames"}.

    Args:
        samples: array or tensor of shape (n,) or (n, channels); int16, or floats from -1 to 1 (values beyond are cut
            off, NaN is silent).
        rate_hz: samples a second, at least 1.

    Raises:
        UsageError: the shape, the type or the rate is none of these.
    """
    array = np.asarray(samples.detach().cpu() if hasattr(samples, "detach") else samples)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not 1 <= array.shape[1] <= _MAX_CHANNELS:
        raise UsageError(f"A sound has the shape (n,) or (n, channels) with up to {_MAX_CHANNELS}, not {array.shape}.")
    if array.size > MAX_SAMPLES:
        raise UsageError(
            f"A sound has at most {MAX_SAMPLES:,} samples, not {array.size:,}. Keep it with run.log_artifact."
        )
    if array.dtype.kind == "f":
        array = np.clip(np.nan_to_num(array, nan=0.0), -1, 1) * _LARGEST
    elif array.dtype != np.int16:
        raise UsageError(f"A sound is int16, or float from -1 to 1, not {array.dtype}.")
    if rate_hz < 1:
        raise UsageError(f"A sound has at least one sample a second, not {rate_hz}.")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(array.shape[1])
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(np.ascontiguousarray(array, "<i2").tobytes())
    return file.getvalue(), {"rate_hz": int(rate_hz), "channels": array.shape[1], "frames": array.shape[0]}
