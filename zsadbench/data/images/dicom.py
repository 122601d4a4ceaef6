"""Read DICOM files as 8-bit images, as a DICOM viewer shows them.

The steps follow the standard (PS3.3 C.11): stored values → modality transformation (slope and intercept, or a table)
→ values-of-interest transformation (the file's first window, else its first table, else the range of values) →
MONOCHROME1 inverted. pydicom decodes the file; it is installed with the extra `dicom`.
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
GreyValues = NDArray[np.float64]


def is_dicom(path: str | Path) -> bool:
    """Whether a file is DICOM by its extension, or by the letters DICM after its preamble."""
    if Path(path).suffix.lstrip(".").casefold() in EXTENSIONS:
        return True
    try:
        with Path(path).open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom(path: str | Path) -> Image.Image:
    """Read the only frame of a DICOM file as an image of mode L or RGB.

    Raises:
        DataError: pydicom is not installed.
        ValueError: the file is not DICOM, has no pixels or several frames, or its pixels cannot be decoded.
        OSError: the file cannot be opened.
    """
    try:
        pydicom = import_module("pydicom")
    except ImportError as failure:
        raise DataError(f"'{path}' is DICOM, which needs pydicom; run: pip install 'zsadbench[dicom]'") from failure
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns of values outside the standard and still reads them
        try:
            data = pydicom.dcmread(path)
            return Image.fromarray(_eight_bits(data, import_module("pydicom.pixels")))
        except (pydicom.errors.InvalidDicomError, AttributeError, RuntimeError, LookupError) as failure:
            raise ValueError(str(failure)) from failure


def _eight_bits(data: Any, pixels: Any) -> NDArray[np.uint8]:
    frames = int(data.get("NumberOfFrames") or 1)
    if frames > 1:
        raise ValueError(f"it holds {frames} frames; one image a file is expected, so export the one that is meant")
    stored = pixels.pixel_array(data)  # converts YBR to RGB
    interpretation = data.PhotometricInterpretation
    if interpretation == "PALETTE COLOR":
        colours = pixels.apply_color_lut(stored, data)
        displayed: NDArray[Any] = colours / np.iinfo(colours.dtype).max
    elif stored.ndim == 3:
        displayed = stored / (2 ** int(data.BitsStored) - 1)
    else:
        values = np.asarray(pixels.apply_modality_lut(stored, data), dtype=np.float64)
        displayed = _displayed(values, stored, data, pixels)
        if interpretation == "MONOCHROME1":
            displayed = 1 - displayed
    return np.asarray(np.rint(np.clip(displayed, 0, 1) * 255), dtype=np.uint8)


def _displayed(values: GreyValues, stored: NDArray[Any], data: Any, pixels: Any) -> GreyValues:
    """Map modality values to 0..1 by the window, else by the table, else by the range of values without padding."""
    centre, width = (_first_number(data.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is not None and width is not None:
        return WINDOWS[str(data.get("VOILUTFunction") or "LINEAR")](values, centre, width)
    if "VOILUTSequence" in data:
        bits = int(data.VOILUTSequence[0].LUTDescriptor[2])
        return np.asarray(pixels.apply_voi(values.astype(np.int64), data) / float(2**bits - 1))
    padding = data.get("PixelPaddingValue")
    visible = values if padding is None or (stored == padding).all() else values[stored != padding]
    low, high = float(visible.min()), float(visible.max())
    return np.asarray((values - low) / (high - low or 1))


def _first_number(value: Any) -> float | None:
    """The first of several numbers, or the only one; None if there is none."""
    if value is None or value == "":
        return None
    return float(value if isinstance(value, int | float) else next(iter(value)))


def _linear(values: GreyValues, centre: float, width: float) -> GreyValues:
    return (values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5


def _linear_exact(values: GreyValues, centre: float, width: float) -> GreyValues:
    return (values - centre) / max(width, 1e-9) + 0.5


def _sigmoid(values: GreyValues, centre: float, width: float) -> GreyValues:
    return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / max(width, 1e-9), -500, 500)))


WINDOWS: dict[str, Callable[[GreyValues, float, float], GreyValues]] = {  # PS3.3 C.11.2.1.2 and C.11.2.1.3
    "LINEAR": _linear,
    "LINEAR_EXACT": _linear_exact,
    "SIGMOID": _sigmoid,
}
