"""TIFF with pages, 16 bits and white zeros; DICOM as a viewer shows it."""

import importlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from zsadbench.data import oriented_size, prepare_image, read_image, read_mask
from zsadbench.data.images import dicom
from zsadbench.errors import DataError

# ---- TIFF


def pages(path, *pictures, kinds=()):
    """Write a TIFF of several pages; `kinds` are the subfile types of the pages after the first."""
    tags = [TiffImagePlugin.ImageFileDirectory_v2() for _ in pictures]
    for tag, kind in zip(tags[1:], kinds, strict=False):
        tag[254] = kind
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as file:
        for picture, tag in zip(pictures, tags, strict=True):
            picture.save(file, format="TIFF", tiffinfo=tag)
            file.newFrame()
    return path


def grey(value, size=(6, 4)):
    return Image.new("L", size, value)


def test_a_stack_is_refused_with_the_number_of_its_pages(tmp_path):
    path = pages(tmp_path / "stack.tif", grey(1), grey(2), grey(3))
    for read in (read_image, read_mask, oriented_size):
        with pytest.raises(DataError, match=r"stack.tif' cannot be read as an image: it holds 3 pages; .*save the one"):
            read(path)


@pytest.mark.parametrize("kind", [1, 4])
def test_a_thumbnail_or_a_mask_after_the_picture_is_passed_over(tmp_path, kind):
    path = pages(tmp_path / "x.tif", grey(7), grey(200, (3, 2)), kinds=[kind])
    assert oriented_size(path) == (6, 4)
    assert np.asarray(read_image(path)).tolist() == [[7] * 6] * 4


def test_sixteen_bits_with_white_at_zero_are_turned_over(tmp_path):
    wide = np.array([[0, 65535, 32768]], dtype=np.uint16)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    Image.fromarray(wide).save(tmp_path / "black.tif", tiffinfo=tags)
    content = bytearray((tmp_path / "black.tif").read_bytes())
    with Image.open(tmp_path / "black.tif") as image:
        assert image.tag_v2[262] == 1
    place = content.index(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00")
    content[place + 8] = 0
    (tmp_path / "white.tif").write_bytes(content)
    assert np.asarray(read_image(tmp_path / "black.tif")).tolist() == [[0, 255, 128]]
    assert np.asarray(read_image(tmp_path / "white.tif")).tolist() == [[255, 0, 127]]
    assert read_mask(tmp_path / "white.tif").tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("values", [[[-5, 3000]], [[0, 70_000]]])
def test_values_that_eight_bits_cannot_mean_are_refused(tmp_path, values):
    path = tmp_path / "x.tif"
    Image.fromarray(np.array(values, dtype=np.int32)).save(path)
    words = rf"its values lie in {min(values[0])}..{max(values[0])}, not in 0..65535"
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=words):
            read(path)


# ---- DICOM

HOUNSFIELD = np.array([[0, 500, 1000], [1040, 1080, 3000]], dtype=np.uint16)


@pytest.fixture
def scan(tmp_path):
    """`scan(pixels, **tags)` writes a DICOM file and returns its path."""
    pydicom = pytest.importorskip("pydicom")

    def write(pixels=HOUNSFIELD, name="scan.dcm", kind="MONOCHROME2", **tags):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = pydicom.uid.CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=["x"])
        data.Rows, data.Columns = pixels.shape[-2 - (pixels.ndim == 3 and kind == "RGB") :][:2]
        data.SamplesPerPixel = 3 if kind == "RGB" else 1
        if kind == "RGB":
            data.PlanarConfiguration = 0
        data.PhotometricInterpretation = kind
        data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
        data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(pixels.dtype.kind == "i")
        data.PixelData = pixels.tobytes()
        for key, value in tags.items():
            setattr(data, key, value)
        pydicom.dcmwrite(tmp_path / name, data, enforce_file_format=True)
        return tmp_path / name

    return write


def shown(path):
    return np.asarray(read_image(path)).tolist()


def test_a_scan_is_rescaled_and_seen_through_its_window(scan):
    path = scan(RescaleSlope=1, RescaleIntercept=-1000, WindowCenter=40, WindowWidth=81)
    # by the standard: (value - (centre - 0.5)) / (width - 1) + 0.5, of -1000, -500, 0, 40, 80, 2000
    assert shown(path) == [[0, 0, 2], [round((0.5 / 80 + 0.5) * 255), 255, 255]]
    assert (oriented_size(path), read_image(path).mode) == ((3, 2), "L")
    assert prepare_image(path, 4, "rgb_first").shape == (3, 4, 4)


def test_the_slope_counts_and_the_first_of_several_windows(scan):
    one = scan(RescaleSlope=2, RescaleIntercept=0, WindowCenter=[1000, 40], WindowWidth=[2000, 80])
    assert shown(one)[0] == [0, 128, 255]


@pytest.mark.parametrize(("function", "middle"), [("LINEAR_EXACT", 178), ("SIGMOID", 176)])
def test_other_windows_of_the_standard(scan, function, middle):
    path = scan(WindowCenter=1000, WindowWidth=400, VOILUTFunction=function)
    assert shown(path)[1][1] == middle  # of 1080: 0.7, and 1 / (1 + exp(-0.8))


def test_monochrome1_is_turned_over(scan):
    tags = {"WindowCenter": 1000, "WindowWidth": 400}
    plain, turned = scan(**tags), scan(name="x.dcm", kind="MONOCHROME1", **tags)
    assert (np.asarray(read_image(turned)) == 255 - np.asarray(read_image(plain))).all()


def test_without_a_window_it_runs_from_the_smallest_to_the_largest_that_is_no_padding(scan):
    assert shown(scan())[1] == [88, 92, 255]
    padded = np.array([[-2000, 0, 100]], dtype=np.int16)
    path = scan(padded, PixelPaddingValue=-2000)
    assert shown(path) == [[0, 0, 255]]
    assert shown(scan(np.zeros((1, 2), np.uint16))) == [[0, 0]]


def test_a_table_of_values_of_interest(scan):
    pydicom = pytest.importorskip("pydicom")
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 8], np.array([10, 20, 200, 255], dtype=np.uint16).tobytes()
    path = scan(np.array([[0, 1, 2, 3]], dtype=np.uint16), VOILUTSequence=pydicom.Sequence([table]))
    assert shown(path) == [[10, 20, 200, 255]]


def test_colour_and_palette(scan):
    red = np.zeros((2, 3, 3), dtype=np.uint8)
    red[..., 0] = 200
    path = scan(red, kind="RGB")
    assert (read_image(path).mode, read_image(path).getpixel((0, 0))) == ("RGB", (200, 0, 0))
    tags = {f"{colour}PaletteColorLookupTableDescriptor": [2, 0, 16] for colour in ("Red", "Green", "Blue")}
    tags |= {f"{colour}PaletteColorLookupTableData": b"\x00\x00\xff\xff" for colour in ("Red", "Green")}
    tags |= {"BluePaletteColorLookupTableData": bytes(4)}
    path = scan(np.array([[0, 1]], dtype=np.uint8), kind="PALETTE COLOR", **tags)
    assert shown(path) == [[[0, 0, 0], [255, 255, 0]]]


def test_it_is_known_by_its_letters_too(scan, tmp_path):
    path = scan()
    path.rename(tmp_path / "IM0001")
    assert dicom.is_dicom(tmp_path / "IM0001")
    assert read_image(tmp_path / "IM0001").size == (3, 2)
    assert not dicom.is_dicom(tmp_path / "none.png")


def test_several_frames_and_broken_files_are_one_line(scan, tmp_path):
    path = scan(np.zeros((4, 2, 3), dtype=np.uint16), NumberOfFrames=4)
    with pytest.raises(DataError, match=r"scan.dcm' cannot be read as an image: it holds 4 frames"):
        read_image(path)
    whole = scan().read_bytes()
    for content in (b"", b"no image", whole[:-6], whole[:200]):
        (tmp_path / "x.dcm").write_bytes(content)
        with pytest.raises(DataError, match=r"x.dcm' cannot be read as an image: ") as caught:
            read_image(tmp_path / "x.dcm")
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"none.dcm' is missing"):
        read_image(tmp_path / "none.dcm")


def test_without_pydicom_it_says_what_to_install(tmp_path, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(dicom, "import_module", absent)
    assert importlib.import_module is not absent
    (tmp_path / "x.dcm").write_bytes(b"")
    with pytest.raises(DataError, match=r"x.dcm' is DICOM, which needs pydicom; run: pip install 'zsadbench\[dicom\]'"):
        read_image(tmp_path / "x.dcm")
