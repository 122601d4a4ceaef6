"""Every float that is promised is read, and none is rounded on the way to the metrics."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch.nn.functional import interpolate

from zsadbench.data.images.pixel_limit import allow_pixels
from zsadbench.errors import DataError
from zsadbench.saved_maps.ground_truth import MapReader
from zsadbench.saved_maps.map_file import read_map

VALUES = np.random.default_rng(0).random((6, 9))
FINE = 1.0 + VALUES * 1e-12  # differ in float64 alone


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("suffix", [".tif", ".tiff", ".TIFF"])
def test_floats_of_every_width_are_read_from_tiff(tmp_path, dtype, order, compression, suffix):
    path = tmp_path / f"m{suffix}"
    tifffile.imwrite(path, VALUES.astype(dtype), byteorder=order, compression=compression)
    found = read_map(path)
    assert found.dtype == dtype
    assert found.dtype.isnative
    assert np.array_equal(found, VALUES.astype(dtype))


@pytest.mark.parametrize("shape", [(2, 6, 9), (6, 9, 3)])
def test_a_tiff_of_several_maps_is_refused(tmp_path, shape):
    tifffile.imwrite(tmp_path / "m.tif", np.zeros(shape), photometric="minisblack", planarconfig="contig")
    with pytest.raises(DataError, match="a map as a picture is grey, of floats"):
        read_map(tmp_path / "m.tif")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_tiff_that_is_cut_off_is_refused(tmp_path, share):
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, VALUES)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match=f"'{path}' cannot be read"):
        read_map(path)


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".png"])
def test_a_header_that_promises_too_much_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 26)
    path = tmp_path / f"m{suffix}"
    if suffix == ".npy":
        np.save(path, VALUES)
    elif suffix == ".tif":
        tifffile.imwrite(path, VALUES)
    else:
        Image.fromarray((VALUES * 65535).astype(np.uint16)).save(path)
    with pytest.raises(DataError, match="more than 52"):
        read_map(path)
    allow_pixels(54)
    assert read_map(path).shape == (6, 9)


@pytest.mark.parametrize("save", [np.save, tifffile.imwrite])
def test_maps_are_resized_in_their_own_precision(tmp_path, save):
    path = tmp_path / ("m.npy" if save is np.save else "m.tif")
    save(path, FINE)
    reader = MapReader({"a.png": path})
    found = reader.fit(reader.read("a.png"), "a.png", (12, 20))
    wanted = interpolate(torch.from_numpy(FINE)[None, None], (12, 20), mode="bilinear", align_corners=False)[0, 0]
    assert found.dtype == np.float64
    assert np.array_equal(found, wanted.numpy())
    assert len(np.unique(found)) > 54


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_maps_of_fewer_bits_are_resized_in_float32(tmp_path, dtype):
    np.save(tmp_path / "m.npy", VALUES.astype(dtype))
    reader = MapReader({"a.png": tmp_path / "m.npy"})
    assert reader.fit(reader.read("a.png"), "a.png", (12, 20)).dtype == np.float32
    assert reader.enlarged == {"9×6": 1}
