"""What the elements of an array are, in a word; shapes stand where an array is spoken of."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Mask = Bools  # [H, W], of a photograph
