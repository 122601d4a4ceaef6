"""A table that pairs images with the masks of their neighbours is refused; no mask is paired by order."""

import json

import pytest

from zsadbench.data import load_dataset
from zsadbench.data.layouts.pair_names import check_pairs, name_key
from zsadbench.data.layouts.sample import Sample
from zsadbench.errors import DataError

NUMBER = 8
NAMES = {  # image, mask
    "plain": ("img/{}.png", "gt/{}.png"),
    "padded": ("img/{:03d}.png", "gt/{}_mask.png"),
    "suffix": ("img/ISIC_{:07d}.jpg", "gt/ISIC_{:07d}_Segmentation.png"),
    "prefix": ("img/frame-{}.png", "gt/mask_frame-{}.png"),
    "both": ("img/img_{}.png", "gt/label{}.png"),
    "upper": ("img/A{}.JPG", "gt/a{}.PNG"),
    "words": ("img/cju{}qk.jpg", "gt/cju{}qk.jpg"),
}


def rows(style, shift=0, number=NUMBER):
    image, mask = NAMES[style]
    return [Sample(image.format(i), mask.format(i + shift), 1, "colon", "x", "test") for i in range(1, number + 1)]


@pytest.mark.parametrize("style", NAMES)
def test_masks_of_their_images_pass(style):
    assert check_pairs(rows(style), "t") == []


@pytest.mark.parametrize("style", NAMES)
@pytest.mark.parametrize("shift", [-1, 1, 2])
def test_shifted_masks_are_refused_with_the_first(style, shift):
    first = max(1, 1 - shift)
    image, mask = NAMES[style]
    number, other = NUMBER - abs(shift), first + shift
    with pytest.raises(DataError) as caught:
        check_pairs(rows(style, shift), "colondb: meta.json")
    assert str(caught.value) == (
        f"colondb: meta.json: {number} of {NUMBER} rows name a mask that has the name of another image, first "
        f"'{mask.format(other)}' for '{image.format(first)}', although '{image.format(other)}' is there; "
        "pair masks and images by their names, and write the table again"
    )


def test_reversed_masks_are_refused():
    listed = rows("plain")
    swapped = [sample._replace(mask=other.mask) for sample, other in zip(listed, listed[::-1], strict=True)]
    with pytest.raises(DataError, match="8 of 8 rows"):
        check_pairs(swapped, "t")


def test_a_few_masks_of_other_images_are_a_note():
    listed = rows("plain")
    listed[2] = listed[2]._replace(mask="gt/4.png")
    (note,) = check_pairs(listed, "t")
    assert note.startswith(
        "1 of 8 rows name a mask that has the name of another image, first 'gt/4.png' for 'img/3.png'"
    )


def test_names_that_say_nothing_of_each_other_pass():
    listed = [Sample(f"img/{name}.png", f"gt/m{i}.png", 1, "c", "x", "test") for i, name in enumerate("abcdef")]
    assert check_pairs(listed, "t") == []
    assert check_pairs([sample._replace(mask="gt/mask.png") for sample in listed], "t") == []


def test_equal_names_in_other_folders_are_other_images():
    """As in MVTec AD: every defect counts from 000."""
    listed = [
        Sample(f"test/{kind}/{i:03d}.png", f"gt/{kind}/{i:03d}_mask.png", 1, "c", kind, "test")
        for kind in ("cut", "hole")
        for i in range(4)
    ]
    assert check_pairs(listed, "t") == []


def test_a_mask_that_is_missing_counts_as_it_is_named():
    listed = [sample._replace(mask="", wanted=sample.mask) for sample in rows("plain", -1)]
    with pytest.raises(DataError, match="7 of 8 rows"):
        check_pairs(listed, "t")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a/001.png", "b/1_mask.png"),
        ("12.tif", "mask-12.TIF"),
        ("x.y.png", "x.y.gt.png"),
        ("照片 7.png", "照片 7_GT.png"),
    ],
)
def test_names_of_one_object_have_one_key(one, other):
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(("one", "other"), [("1.png", "11.png"), ("a1.png", "b1.png"), ("10.png", "1.png")])
def test_names_of_two_objects_have_two_keys(one, other):
    assert name_key(one) != name_key(other)


# ---- in a table


@pytest.fixture
def write_set(tmp_path, write_image):
    """`write_set(shift)` writes CVC-ColonDB with a meta.json whose masks are shifted, and returns the data root."""

    def write(shift):
        root = tmp_path / "data/CVC-ColonDB"
        for sample in rows("plain"):
            write_image(root / sample.image)
            write_image(root / sample.mask, mode="L")
        listed = [
            {"img_path": one.image, "mask_path": one.mask, "cls_name": "colon", "specie_name": "", "anomaly": 1}
            for one in rows("plain", shift)
        ]
        (root / "meta.json").write_text(json.dumps({"train": {}, "test": {"colon": listed}}))
        return root.parent

    return write


@pytest.mark.parametrize("allow_partial", [False, True])
def test_a_json_of_shifted_masks_is_refused_also_where_partial_data_are_allowed(write_set, allow_partial):
    with pytest.raises(DataError, match=r"^colondb: meta.json: 7 of 8 rows name a mask that has the name of another"):
        load_dataset("colondb", [write_set(-1)], allow_partial=allow_partial)
    assert len(load_dataset("colondb", [write_set(0)], allow_partial=True).manifest) == NUMBER


def test_a_csv_of_shifted_masks_is_refused(tmp_path, write_image):
    lines = ["path,label,mask"]
    for sample, shifted in zip(rows("plain"), rows("plain", 1), strict=True):
        write_image(tmp_path / sample.image)
        write_image(tmp_path / shifted.mask, mode="L")
        lines.append(f"{sample.image},1,{shifted.mask}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"^csv:list: list.csv: 7 of 8 rows name a mask"):
        load_dataset(f"csv:{tmp_path / 'list.csv'}")
