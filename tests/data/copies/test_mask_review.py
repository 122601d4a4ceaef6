"""Masks that cannot be used, that can be read in two ways, or that are unusual; masks that vanish by resizing."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.data import check_files, check_masks, load_dataset
from zsadbench.data.copies.check import check_copy
from zsadbench.data.copies.mask_review import emptied_masks, frame_faults, review_masks
from zsadbench.errors import DataError

SIZE = (32, 24)  # width, height


def square(side=8, size=SIZE):
    mask = np.zeros(size[::-1], dtype=np.uint8)
    mask[2 : 2 + side, 3 : 3 + side] = 255
    return mask


@pytest.fixture
def caps(tmp_path):
    """`caps(masks, exif=0, size=SIZE)` writes `folder:`, one anomalous image per mask, and returns the name."""

    def write(masks, exif=0, size=SIZE, suffix="png"):
        root = tmp_path / "caps"
        for kind, number in (("good", 1), ("dent", len(masks))):
            (root / "test" / kind).mkdir(parents=True)
            for index in range(number):
                tags = Image.Exif()
                if exif:
                    tags[0x0112] = exif
                Image.new("RGB", size, (90, 90, 90)).save(root / f"test/{kind}/{index}.png", exif=tags)
        (root / "ground_truth/dent").mkdir(parents=True)
        for index, mask in enumerate(masks):
            picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            picture.save(root / f"ground_truth/dent/{index}_mask.{suffix}")
        return f"folder:{root}"

    return write


def review(name):
    return load_dataset(name).mask_review


def test_ordinary_masks_have_nothing_to_say(caps):
    assert review(caps([square(), square(4)])) == ((), (), ())


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_masks_that_mark_most_of_their_image_may_be_inverted(caps, share):
    mask = np.zeros(SIZE[::-1], dtype=np.uint8)
    mask[: round(share * len(mask))] = 255
    percent = 100 * np.count_nonzero(mask) / mask.size
    (line,) = review(name := caps([mask] * 3)).warnings
    assert line.startswith(
        f"caps: 3 of 3 masks mark most of their image ({percent:.1f} % of all pixels); inverted? first '"
    )
    assert line in check_copy(name).notes
    assert check_copy(name).faults == ()


def test_a_mask_that_marks_all_of_its_image_is_told_among_ordinary_ones(caps):
    full = np.full(SIZE[::-1], 255, dtype=np.uint8)
    (line,) = review(caps([square(), square(), square(), full])).warnings
    assert line.startswith("caps: 1 of 4 masks mark all of their image; inverted? first '")


def test_a_few_large_masks_are_no_warning(caps):
    large = np.full(SIZE[::-1], 255, dtype=np.uint8)
    large[0] = 0
    assert review(caps([square(), square(), square(), large])).warnings == ()


def test_blank_masks_are_told_where_most_are_blank(caps):
    blank = np.zeros(SIZE[::-1], dtype=np.uint8)
    (line,) = review(caps([blank, square(), blank])).warnings
    assert line.startswith("caps: 2 of 3 masks are blank, first '")


def test_a_mask_that_can_be_read_in_two_ways_is_refused_before_a_run(caps):
    alpha = Image.fromarray(np.dstack([255 - square(), square()]))
    data = load_dataset(name := caps([square(), alpha, alpha]))
    for check in (check_masks, check_files):
        with pytest.raises(DataError, match=r"^folder:caps: mask '.*1_mask.png' marks other pixels .*; 1 more like it"):
            check(data)
    assert len(check_copy(name).faults) == 2


def test_a_mask_that_is_cut_off_is_a_fault_of_the_plain_check_and_no_reason_not_to_run(caps, tmp_path):
    name = caps([square(), square()])
    path = tmp_path / "caps/ground_truth/dent/1_mask.png"
    path.write_bytes(path.read_bytes()[:50])
    data = load_dataset(name)
    check_files(data)
    assert data.mask_review.refused == ()
    for deep in (False, True):
        (fault,) = check_copy(name, deep=deep).faults
        assert fault.startswith(f"'{path}' cannot be read as an image: ")


# ---- images that EXIF turns


@pytest.mark.parametrize("orientation", range(2, 9))
def test_sizes_that_do_not_tell_which_way_up_a_mask_is_are_a_warning(caps, orientation):
    (line,) = review(caps([square(8, (24, 24))] * 2, exif=orientation, size=(24, 24))).warnings
    assert line.startswith("EXIF turns the images of 2 masks that state no orientation, and sizes do not tell whether")
    assert line.endswith("0_mask.png'")


@pytest.mark.parametrize("orientation", range(5, 9))
def test_an_oblong_mask_fits_the_stored_or_the_upright_image(caps, orientation):
    masks = [square(), square(8, SIZE[::-1])]
    data = load_dataset(caps(masks, exif=orientation))
    check_files(data)
    assert data.mask_review == ((), (), ())


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_an_oblong_mask_leaves_it_open_where_width_and_height_stay(caps, orientation):
    assert len(review(caps([square()], exif=orientation)).warnings) == 1


def test_upright_images_with_a_tag_are_no_warning(caps):
    assert review(caps([square()], exif=1)).warnings == ()


def test_a_mask_of_another_size_says_that_exif_has_turned_the_image(caps, tmp_path):
    mask = tmp_path / "caps/ground_truth/dent/0_mask.png"
    (line,) = review(caps([square(4, (9, 7))], exif=6)).refused
    assert line == f"mask '{mask}' is 9×7, its image is 24×32 after EXIF has turned it"


# ---- several frames


def test_images_of_several_frames_are_named_before_a_run(caps, tmp_path):
    name = caps([square()])
    pictures = [Image.new("RGB", SIZE, (40 * index, 9, 9)) for index in range(3)]
    for kind in ("good", "dent"):
        pictures[0].save(tmp_path / f"caps/test/{kind}/0.gif", save_all=True, append_images=pictures[1:])
        (tmp_path / f"caps/test/{kind}/0.png").unlink()
    with pytest.raises(
        DataError, match=r"^folder:caps: '.*0.gif' cannot be read .* it holds 3 frames; .*; 1 more like it"
    ):
        check_files(load_dataset(name))
    assert sum("it holds 3 frames" in fault for fault in check_copy(name).faults) == 2


def test_jpeg_and_dicom_are_not_opened_to_look_for_frames(tmp_path):
    assert frame_faults([str(tmp_path / f"gone.{suffix}") for suffix in ("jpg", "JPEG", "dcm", "png")]) == []


# ---- masks that vanish


def test_masks_that_are_blank_at_the_evaluated_size_are_found(tmp_path):
    paths = []
    for index, start in enumerate((3, 403, 802)):
        mask = np.zeros((1036, 1036), dtype=np.uint8)
        mask[start : start + 1, start : start + 1] = 255  # of every two pixels, the second is kept
        paths.append(str(tmp_path / f"{index}.png"))
        Image.fromarray(mask).save(paths[-1])
    small = str(tmp_path / "small.png")
    Image.fromarray(square()).save(small)
    frame = pd.DataFrame({"mask": [*paths, small, ""]})
    kept = [index for index, start in enumerate((3, 403, 802)) if start % 2]
    assert emptied_masks(frame, "> 0", 518) == [path for index, path in enumerate(paths) if index not in kept]
    assert emptied_masks(frame, "> 0", 1036) == []


def test_a_check_counts_masks_that_are_blank_at_the_usual_size(caps):
    masks = [np.zeros((1036, 1036), dtype=np.uint8) for _ in range(3)]
    for index, mask in enumerate(masks):
        mask[2 + index % 2, 9] = 255  # of every two pixels, the second is kept
    found = check_copy(caps(masks, size=(1036, 1036)))
    assert [note for note in found.notes if "at 518×518" in note] == [
        "2 of 3 masks are blank at 518×518; evaluate at a larger --image-size or with --protocol strict-native"
    ]
    assert found.faults == ()


def test_a_manifest_without_masks_is_reviewed():
    empty = pd.DataFrame({"path": ["x.png"], "mask": [""], "class": ["c"]})
    assert review_masks(empty, "> 0") == ((), (), ())


def soft(low=90):
    mask = square()
    mask[2, 3:11] = low
    return mask


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_masks_are_said_once_by_check_and_run(caps, suffix):
    name = caps([square(), soft(), soft(7)], suffix=suffix)
    line = "2 of 3 masks have grey values, and count as anomalous: all but black; in lossy files those from 128 on;"
    found = check_copy(name, deep=True)
    assert [note.startswith(line) for note in found.notes] == [True]
    assert [warning.startswith(line) for warning in load_dataset(name).warnings] == [True]
    assert found.faults == ()


def test_numbers_of_classes_are_no_grey_values(caps):
    classes = square() // 255
    classes[0, 0] = 2
    assert load_dataset(caps([square(), classes])).warnings == ()
