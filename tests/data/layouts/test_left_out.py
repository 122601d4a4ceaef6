"""Files that are or claim to be images and that a layout does not read are counted, by class."""

from pathlib import Path

import pytest
from PIL import Image

from zsadbench.data import all_cards, find_card, load_dataset
from zsadbench.data.cards.layout import IMAGE_EXTENSIONS
from zsadbench.data.layouts.left_out import CLAIMED_EXTENSIONS, claims_to_be_image
from zsadbench.printing import left_out_line


def registered():
    Image.init()
    return sorted(extension.lstrip(".") for extension in Image.registered_extensions())


@pytest.fixture
def caps(tmp_path, write_image):
    """`folder:` with one class, two normal and two anomalous images, whose masks are there."""
    root = tmp_path / "caps"
    for kind in ("good", "dent"):
        for number in range(2):
            write_image(root / f"test/{kind}/{number}.png")
    for number in range(2):
        write_image(root / f"ground_truth/dent/{number}_mask.png", mode="L")
    return root


def unread(root):
    return load_dataset(f"folder:{root}").unread


def test_every_extension_of_pillow_is_known_as_one_of_images():
    assert set(registered()) <= CLAIMED_EXTENSIONS
    assert {"dcm", "dicom", "mp4", "svg", "heic", "nii.gz"} <= CLAIMED_EXTENSIONS


@pytest.mark.parametrize("folder", ["test/good", "test/dent", "train/good"])
def test_a_file_of_every_extension_is_read_or_counted_where_images_are_looked_for(caps, folder):
    known = sorted({*registered(), *CLAIMED_EXTENSIONS})
    for extension in known:
        (caps / folder / f"z.{extension}").parent.mkdir(parents=True, exist_ok=True)
        (caps / folder / f"z.{extension}").write_bytes(b"x")
        if extension in IMAGE_EXTENSIONS:
            (caps / "ground_truth/dent/z_mask.png").write_bytes(b"x")
    found = load_dataset(f"folder:{caps}", splits=("test", "train"))
    read = {path.rpartition(".")[2] for path in found.manifest["relative"] if Path(path).name.startswith("z.")}
    assert read == IMAGE_EXTENSIONS
    (left_out,) = found.unread.values()
    masks = folder != "test/dent"  # nothing uses the mask of z
    assert left_out.number == len(set(known) - IMAGE_EXTENSIONS) + masks


@pytest.mark.parametrize("extension", ["png", "PNG", "jpg", "heic", "mp4", "svg", "nii.gz", "psd"])
@pytest.mark.parametrize("place", ["deep/er", "test/good/cam1", "test/dent/cam1", "validation/good", "train/bad", ""])
def test_a_file_where_no_image_is_looked_for_is_counted_with_its_path(caps, place, extension):
    path = caps / place / f"0.{extension}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert unread(caps) == {"caps": (1, path.relative_to(caps).as_posix())}


@pytest.mark.parametrize(
    "name", ["notes.txt", "list.csv", "a.json", "Thumbs.db", "map.npy", "README", "x.xml", ".0.png"]
)
def test_other_files_are_not_counted(caps, name):
    (caps / "test/good" / name).write_bytes(b"text, or numbers")
    (caps / name).write_bytes(b"text, or numbers")
    assert unread(caps) == {}


@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM", "JPEG2000"])
@pytest.mark.parametrize("name", ["photo", "photo.dat", "photo.1"])
def test_an_image_is_known_by_its_first_bytes_without_an_extension_of_images(caps, encoding, name):
    Image.new("RGB", (8, 8), (9, 9, 9)).save(caps / "test/good" / name, format=encoding)
    assert unread(caps) == {"caps": (1, f"test/good/{name}")}


def test_a_whole_folder_is_read_and_nothing_is_left_out(caps):
    assert unread(caps) == {}


def test_files_are_counted_for_the_class_whose_folder_they_lie_in(tmp_path, write_image):
    for name in ("cap", "nut"):
        write_image(tmp_path / f"shop/{name}/test/good/0.png")
        write_image(tmp_path / f"shop/{name}/test/dent/0.png")
    write_image(tmp_path / "shop/nut/test/good/cam/0.png")
    write_image(tmp_path / "shop/nut/extra/1.png")
    write_image(tmp_path / "shop/other/1.png")
    found = load_dataset(f"folder:{tmp_path / 'shop'}")
    assert found.unread == {"nut": (2, "nut/extra/1.png"), "": (1, "other/1.png")}
    assert (found.left_out_of("nut"), found.left_out_of("cap")) == (2, 0)
    line = left_out_line(3, "nut/extra/1.png")
    assert found.warnings == (line,)
    assert found.provenance()["data_left_out"] == {"number": 3, "first": "nut/extra/1.png"}


def test_one_file_is_told_in_the_singular():
    assert left_out_line(1, "a.png") == "1 file that is or claims to be an image is not read, first 'a.png'"


def test_images_of_other_splits_are_read_and_masks_of_them_too(miniature):
    for name in ("mvtec", "tn3k", "dagm", "visa"):
        root = miniature(name)
        assert load_dataset(name, [root.parent]).unread == {}, name


@pytest.mark.parametrize("card", [card for card in all_cards() if not card.generated], ids=lambda card: card.name)
def test_a_file_that_no_card_names_is_left_out_of_every_benchmark(miniature, write_image, card):
    data = miniature(card.name).parent
    before = load_dataset(card.name, [data])
    write_image(before.root / "surprise/1.png")
    after = load_dataset(card.name, [data])
    assert before.unread == {}
    assert after.unread == {"" if len(card.classes) > 1 else next(iter(card.classes)): (1, "surprise/1.png")}


def test_a_folder_that_a_card_ignores_counts_where_one_of_its_files_is_read(tmp_path, write_image):
    """Of BrainMRI the archive holds the images twice; which copy is read depends on what is there."""
    root = tmp_path / "brainmri"
    for label in ("no", "yes"):
        write_image(root / f"brain_tumor_dataset/{label}/1.jpg")
        write_image(root / f"{label}/1.jpg")
        write_image(root / f"{label}/deeper/1.jpg")
    assert load_dataset("brainmri", [tmp_path], allow_partial=True).unread == {}
    write_image(root / "brain_tumor_dataset/no/deeper/1.jpg")
    found = load_dataset("brainmri", [tmp_path], allow_partial=True).unread
    assert found == {"brain": (1, "brain_tumor_dataset/no/deeper/1.jpg")}


def test_a_data_root_that_holds_other_sets_beside_is_not_counted(tmp_path, write_image):
    """CVC-ClinicDB unpacked into a folder of downloads, in which other data sets lie."""
    for folder in ("Original", "Ground Truth"):
        write_image(tmp_path / "downloads" / folder / "1.tif", mode="L")
    write_image(tmp_path / "downloads/holidays/1.jpg")
    write_image(tmp_path / "downloads/1.jpg")
    assert load_dataset("clinicdb", [tmp_path / "downloads"], allow_partial=True).unread == {}
    write_image(tmp_path / "downloads/Original/cam/1.tif")
    found = load_dataset("clinicdb", [tmp_path / "downloads"], allow_partial=True).unread
    assert found == {"colon": (1, "Original/cam/1.tif")}


def test_a_table_of_a_benchmark_leaves_out_what_it_does_not_list(miniature, write_image):
    root = miniature("visa")
    write_image(root / "candle/Data/Images/Normal/9999.JPG")
    assert load_dataset("visa", [root.parent]).unread == {"candle": (1, "candle/Data/Images/Normal/9999.JPG")}


def test_the_contours_of_the_first_release_of_colondb_are_named_by_its_card():
    assert find_card("colondb").ignored
    assert claims_to_be_image("cp1.tiff")
