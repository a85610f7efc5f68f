"""Types of arrays. Apart from the reader, so that looking for an event does not load NumPy."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
