"""DICOM → 8-bit pictures, as a viewer shows them: rescaled, through the file's own window, upright in its greys.

The order is that of the standard (PS3.3 C.11): stored values → modality transformation (slope and intercept, or a
table) → values of interest (the first window, else the first table, else from the smallest to the largest value)
→ MONOCHROME1 turned over. pydicom does the decoding; it comes with the extra `dicom`.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zsadbench.errors import DataError

EXTENSIONS = frozenset({"dcm", "dicom"})
Grey = NDArray[np.float64]


def is_dicom(path: str | Path) -> bool:
    """Whether the file says that it is DICOM, by its extension or by the letters after its preamble."""
    if Path(path).suffix.lstrip(".").casefold() in EXTENSIONS:
        return True
    try:
        with Path(path).open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom(path: str | Path) -> Image.Image:
    """The only frame of a DICOM file, mode L or RGB.

    Raises:
        DataError: pydicom is not installed.
        ValueError: it is no DICOM file, holds no pixels, several frames, or pixels that cannot be decoded.
        OSError: the file cannot be opened.
    """
    try:
        pydicom = import_module("pydicom")
    except ImportError as failure:
        raise DataError(f"'{path}' is DICOM, which needs pydicom; run: pip install 'zsadbench[dicom]'") from failure
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that stray from the standard, which are read all the same
        try:
            data = pydicom.dcmread(path)
            return Image.fromarray(_eight_bits(data, import_module("pydicom.pixels")))
        except (pydicom.errors.InvalidDicomError, AttributeError, RuntimeError, LookupError) as failure:
            raise ValueError(str(failure)) from failure


def _eight_bits(data: Any, pixels: Any) -> NDArray[np.uint8]:
    frames = int(data.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ValueError(f"it holds {frames} frames; one image a file is expected, so export the one that is meant")
    stored = pixels.pixel_array(data)  # YBR becomes RGB here
    kind = data.PhotometricInterpretation
    if kind == "PALETTE COLOR":
        colours = pixels.apply_color_lut(stored, data)
        return _scaled(colours / np.iinfo(colours.dtype).max)
    if stored.ndim == 3:
        return _scaled(stored / (2 ** int(data.BitsStored) - 1))
    shown = _shown(np.asarray(pixels.apply_modality_lut(stored, data), dtype=np.float64), stored, data, pixels)
    return _scaled(1 - shown if kind == "MONOCHROME1" else shown)


def _scaled(values: Grey) -> NDArray[np.uint8]:
    """0..1 → 0..255."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _shown(values: Grey, stored: NDArray[Any], data: Any, pixels: Any) -> Grey:
    """Modality values → 0..1, by the window, the table, or the range of what is no padding."""
    centre, width = (_first(data.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None:
        return WINDOWS[str(data.get("VOILUTFunction") or "LINEAR")](values, centre, width)
    if "VOILUTSequence" in data:
        bits = int(data.VOILUTSequence[0].LUTDescriptor[2])
        return np.asarray(pixels.apply_voi(values.astype(np.int64), data) / float(2**bits - 1))
    padding = data.get("PixelPaddingValue")
    seen = values if padding is None or (stored == padding).all() else values[stored != padding]
    low, high = float(seen.min()), float(seen.max())
    return np.asarray((values - low) / (high - low or 1))


def _first(value: Any) -> float | None:
    """The first of several values, or the only one."""
    if value is None or value == "":
        return None
    return float(value if isinstance(value, int | float) else next(iter(value)))


def _linear(values: Grey, centre: float, width: float) -> Grey:
    return (values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5


def _linear_exact(values: Grey, centre: float, width: float) -> Grey:
    return (values - centre) / max(width, 1e-9) + 0.5


def _sigmoid(values: Grey, centre: float, width: float) -> Grey:
    return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / max(width, 1e-9), -500, 500)))


WINDOWS: dict[str, Callable[[Grey, float, float], Grey]] = {  # PS3.3 C.11.2.1.2 and C.11.2.1.3
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}
