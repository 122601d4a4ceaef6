"""What is odd about the user's files is said by every command, kept in the record, and read right where it can be."""

import json

import numpy as np
import pytest
from PIL import Image

from zsadbench.data import synthesise

RUN = ("run", "-m", "colour-distance", "--backbone", "demo", "--out", "res", "--workers", 0)
SIDE = 64


def part(seed, *, dented):
    """A shaded part of 64 × 64 pixels and its mask: a dark dent."""
    rng = np.random.default_rng(seed)
    down, right = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    image = 150 + 16 * (down + right) + 4 * np.kron(rng.integers(0, 3, (8, 8)), np.ones((8, 8)))
    mask = np.zeros((SIDE, SIDE), dtype=bool)
    if dented:
        top, left = rng.integers(8, 32, 2)
        mask[top : top + 14, left : left + 11] = True
    return np.where(mask, image - 70, image).astype(np.uint8), mask


def grey(mask):
    return Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))


def opaque(mode, colour):
    def draw(mask):
        picture = Image.new(mode, mask.shape[::-1], colour)
        picture.putalpha(grey(mask))
        return picture

    return draw


def palette(mask):
    picture = Image.fromarray(mask.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 1, 0, 0])  # index 1 is all but black
    return picture


def coloured(mask):
    return Image.fromarray(mask[..., None] * np.array([0, 0, 1], dtype=np.uint8))


DRAWN = {
    "plain": grey,
    "alpha": opaque("RGBA", 0),
    "grey_alpha": opaque("LA", 0),
    "white_alpha": opaque("RGBA", (255, 255, 255, 255)),
    "palette": palette,
    "coloured": coloured,
}


def save(path, picture, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **how)


@pytest.fixture
def parts(tmp_path):
    """`parts(name, draw=grey, edit=None, exif=0)` writes `folder:` of three normal and three dented parts."""

    def write(name, draw=grey, edit=lambda pixels: pixels, exif=0):
        tags = Image.Exif()
        if exif:
            tags[0x0112] = exif
        for number in range(3):
            for kind in ("good", "dent"):
                image, mask = part(number + 100 * (kind == "dent"), dented=kind == "dent")
                path = tmp_path / name / f"test/{kind}/{number}.png"
                save(path, Image.fromarray(edit(image)), exif=tags)
                if kind == "dent":
                    save(tmp_path / name / f"ground_truth/dent/{number}_mask.png", draw(edit(mask)))
        return f"folder:{tmp_path / name}"

    return write


def mean_of(told):
    assert told.code == 0, told.err
    return json.loads(told.out.splitlines()[0])["mean"]


@pytest.fixture
def measure(cli):
    """`measure(target)` runs and returns the means of the record."""
    return lambda target: mean_of(cli(*RUN, "-t", target, "--json"))


# ---- masks


@pytest.mark.parametrize("how", [name for name in DRAWN if name != "plain"])
def test_a_mask_has_the_numbers_of_the_plain_one_however_it_is_drawn(measure, parts, how):
    plain = measure(parts("plain"))
    assert plain["pixel_auroc"] > 0.99
    assert measure(parts(how, DRAWN[how])) == plain


def test_inverted_masks_are_said_by_run_and_check(cli, parts):
    target = parts("inverted", lambda mask: grey(~mask))
    told = cli(*RUN, "-t", target)
    words = "inverted: 3 of 3 masks mark most of their image (96.2 % of all pixels); inverted?"
    assert words in told.out
    assert f"warning: folder:inverted: {words}" in told.err
    told = cli("datasets", "check", target)
    assert (told.code, f"note: {words}" in told.out) == (0, True)


def test_a_mask_of_two_meanings_stops_a_run_with_its_path(cli, parts):
    target = parts("two", lambda mask: Image.merge("LA", (grey(~mask), grey(mask))))
    for verb in (RUN, ("score", ".")):
        told = cli(*verb, "-t", target)
        assert told.code == 3, told.err
        assert "0_mask.png' marks other pixels by its colours than by its transparency" in told.error
        assert "2 more like it" in told.error


def test_an_oblong_mask_is_turned_with_its_image(measure, parts):
    upright = measure(parts("upright", edit=lambda pixels: np.rot90(pixels[:48], -1)))
    assert measure(parts("turned", edit=lambda pixels: pixels[:48], exif=6)) == upright


def test_a_square_mask_of_a_turned_image_is_a_warning(cli, parts):
    target = parts("square", exif=6)
    words = "EXIF turns the images of 3 masks that state no orientation"
    assert words in cli(*RUN, "-t", target).out
    assert words in cli("datasets", "check", target).out


def test_jpeg_masks_are_cut_in_the_middle_for_every_card(cli, tmp_path):
    root = synthesise("mvtec", tmp_path / "data", 1)
    mask = np.zeros((96, 96), dtype=bool)
    mask[34:59, 31:51] = True  # 500 pixels
    png = next((root / "bottle/ground_truth").rglob("*.png"))
    png.unlink()
    save(png.with_suffix(".jpg"), grey(mask), quality=75)
    told = cli("datasets", "check", "mvtec", "--data-root", tmp_path / "data", "--deep", "--json")
    assert told.code == 0, told.out
    found = json.loads(told.out)["masks"]
    png.with_suffix(".jpg").unlink()
    save(png, grey(mask))
    exact = json.loads(cli("datasets", "check", "mvtec", "--data-root", tmp_path / "data", "--deep", "--json").out)
    assert found["share"] == pytest.approx(exact["masks"]["share"], abs=1e-4)


# ---- files that are not read


@pytest.fixture
def cameras(parts, tmp_path):
    """A set in which eight images lie one folder deeper."""
    target = parts("cams")
    for kind in ("good", "dent"):
        for number in range(4):
            save(tmp_path / f"cams/test/{kind}/cam1/{number}.png", Image.fromarray(part(200 + number, dented=False)[0]))
    return target


LEFT_OUT = "8 files that are or claim to be images are not read, first 'test/dent/cam1/0.png'"


def test_images_one_folder_deeper_are_said_by_run_and_kept_in_the_record(cli, cameras, tmp_path):
    told = cli(*RUN, "-t", cameras)
    assert told.code == 0
    assert f"  {LEFT_OUT}\n" in told.out
    assert f"warning: folder:cams: {LEFT_OUT}" in told.err
    (record,) = (tmp_path / "res").glob("*/*/*.json")
    content = json.loads(record.read_text())
    assert content["counts"]["cams"]["left_out"] == 8
    assert content["provenance"]["data_left_out"] == {"number": 8, "first": "test/dent/cam1/0.png"}
    assert LEFT_OUT in cli(*RUN, "-t", cameras).out, "also where the record is done"
    told = cli("report", "--results", "res", "--out", "rep", "--format", "markdown")
    assert told.code == 0, told.err
    assert LEFT_OUT in (tmp_path / "rep/table.md").read_text().replace("\\", "")


def test_images_one_folder_deeper_are_a_fault_of_check(cli, cameras):
    told = cli("datasets", "check", cameras)
    assert told.code == 3
    assert f"fault: {LEFT_OUT}" in told.out
    assert "folder:cams: not complete" in told.out
    found = json.loads(cli("datasets", "check", cameras, "--json").out)
    assert found["left_out"] == {"cams": {"number": 8, "first": "test/dent/cam1/0.png"}}
    assert found["complete"] is False


def test_images_one_folder_deeper_are_said_by_predict(cli, cameras):
    told = cli("predict", "-m", "colour-distance", "--backbone", "demo", cameras, "--out", "pred")
    assert told.code == 0
    assert LEFT_OUT in told.err


def test_predict_says_which_files_of_a_plain_folder_it_does_not_read(cli, tmp_path):
    save(tmp_path / "photos/a.png", Image.fromarray(part(1, dented=False)[0]))
    for name in ("b.heic", "clip.mp4", "notes.txt"):
        (tmp_path / "photos" / name).write_bytes(b"something else")
    told = cli("predict", "-m", "colour-distance", "--backbone", "demo", "photos", "--out", "pred")
    assert told.code == 0
    assert "'photos': 2 files that are or claim to be images are not read, first 'b.heic'" in told.err


def test_images_one_folder_deeper_are_said_by_score(cli, cameras, tmp_path):
    maps = tmp_path / "maps"
    for image in (tmp_path / "cams/test").glob("*/*.png"):
        path = maps / image.relative_to(tmp_path / "cams").with_suffix(".npy")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(1).random((16, 16), np.float32))
    told = cli("score", maps, "-t", cameras, "--image-size", 64, "--out", "res")
    assert told.code == 0, told.err
    assert LEFT_OUT in told.out


# ---- more images than there are


def test_more_images_than_an_exact_number_are_refused_unless_partial_data_are_allowed(cli, tmp_path):
    root = synthesise("colondb", tmp_path / "data", 3)
    (root / "zsadbench-synth.json").write_text(json.dumps({"name": "colondb", "counts": {"colon": [0, 2]}}))
    where = ("--data-root", tmp_path / "data")
    told = cli("datasets", "check", "colondb", *where)
    assert told.code == 3
    assert "fault: colon: 3 anomalous where 2 are known" in told.out
    told = cli(*RUN, "-t", "colondb", *where)
    assert told.code == 3
    assert "more images than the data set has: colon: 3 anomalous where 2 are known" in told.error
    told = cli(*RUN, "-t", "colondb", *where, "--allow-partial", "--json")
    assert told.code == 0, told.err
    (record,) = (tmp_path / "res").glob("colondb/*/*.json")
    content = json.loads(record.read_text())
    assert content["cell"]["partial"] is True
    assert any("too large" in reason for reason in content["not_comparable_because"])


# ---- defects that vanish


def test_defects_that_vanish_are_said_below_the_table_in_check_and_in_the_report(cli, tmp_path):
    for number, start in enumerate((None, 3, 403, 802)):
        kind, image, mask = "good" if start is None else "pin", np.full((1036, 1036), 128, np.uint8), None
        if start is not None:
            mask = np.zeros((1036, 1036), dtype=bool)
            mask[start - 1 : start, start - 1 : start] = True
            save(tmp_path / f"pins/ground_truth/pin/{number}_mask.png", grey(mask))
        save(tmp_path / f"pins/test/{kind}/{number}.png", Image.fromarray(image))
        path = tmp_path / f"maps/test/{kind}/{number}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, np.random.default_rng(number).random((37, 37), np.float32))
    target = f"folder:{tmp_path / 'pins'}"
    line = "2 of 3 masks are blank at 518×518"
    told = cli("score", tmp_path / "maps", "-t", target, "--out", "res")
    assert told.code == 0, told.err
    assert (
        f"{line} (2 of 3 regions vanish); evaluate at a larger --image-size or with --protocol strict-native"
        in told.out
    )
    (record,) = (tmp_path / "res").glob("*/*/*.json")
    counts = json.loads(record.read_text())["counts"]["pins"]
    assert (counts["regions_native"], counts["regions_lost"], counts["masks_emptied"]) == (3, 2, 2)
    assert f"note: {line}; evaluate" in cli("datasets", "check", target).out
    assert cli("report", "--results", "res", "--out", "rep", "--format", "markdown,latex").code == 0
    for name in ("table.md", "main.tex"):
        assert "masks are blank at 518" in (tmp_path / "rep" / name).read_text(), name
