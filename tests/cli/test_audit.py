"""`zsadbench audit`: detectors of known value, variants side by side, where rankings flip."""

import json

import numpy as np
import pytest
from PIL import Image

from zsadbench import metrics
from zsadbench.metrics import variants
from zsadbench.metrics.variants import NAMES

SIDE = 32
KINDS = ("good", "bad")
IMAGES = {name: [f"{name}/test/{kind}/{n}.png" for kind in KINDS for n in range(2)] for name in ("bolt", "nut")}
FLAGS = ("--image-size", SIDE)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Two classes of four images of 32 × 32, with masks."""
    root = tmp_path_factory.mktemp("data") / "parts"
    for name, images in IMAGES.items():
        for relative, mask in zip(images, truth(name), strict=True):
            write_picture(root / relative, np.zeros((SIDE, SIDE), np.uint8))
            if "/bad/" in relative:
                write_picture(root / relative.replace("/test/", "/ground_truth/"), mask.astype(np.uint8) * 255)
    return root


def truth(name):
    """Masks (4, 32, 32) of a class: two blank ones, then one large and one small region."""
    masks = np.zeros((4, SIDE, SIDE), bool)
    masks[2, 4:24, 6:26] = True
    masks[3, 10:13, 10 : 13 + (name == "nut")] = True
    return masks


def scored(name, steep):
    """Maps that know something of the masks; the steeper, the more of the scores are equal but for their last bits."""
    draw = np.random.default_rng(5 + int(steep))
    raw = draw.normal(size=(4, SIDE, SIDE)) + truth(name) * (1.2 if steep > 1 else 1.0)
    return (1 / (1 + np.exp(-steep * raw))).astype(np.float32)


def write_picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folders(tmp_path):
    """Two folders of maps: a sharp detector, better by rank, and a plain one, whose scores are well spread."""
    for made, steep in (("plain", 1.0), ("sharp", 12.0)):
        for name, images in IMAGES.items():
            for relative, one in zip(images, scored(name, steep), strict=True):
                path = tmp_path / made / f"{relative}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, one)
    return [tmp_path / "plain", tmp_path / "sharp"]


def events_of(told, kind):
    return [event for event in map(json.loads, told.out.splitlines()) if event["event"] == kind]


def test_every_variant_stands_beside_the_others(cli, own, folders):
    told = cli("audit", *folders, "-t", f"folder:{own}", *FLAGS, "--json")
    assert told.code == 0, told.err
    checks = events_of(told, "check")
    assert len(checks) == 5 * len(NAMES)
    assert all(one["passed"] for one in checks)
    rows = {(row["maps"], row["class"]): row for row in events_of(told, "class")}
    assert list(rows) == [(made, name) for name in IMAGES for made in ("plain", "sharp")]
    for (made, name), row in rows.items():
        maps, masks = scored(name, 12.0 if made == "sharp" else 1.0), truth(name)
        assert row["values"]["pixel_aupro"] == metrics.aupro(maps, masks)
        assert row["values"]["pixel_aupro_200_max@0.05"] == metrics.aupro_200_max(maps, masks, 0.05)
        assert row["values"]["pixel_aupro_4connected"] == metrics.aupro(maps, masks, connectivity=4)
        assert row["span_200"]["0.3"] is None or row["span_200"]["0.3"]["thresholds"] in {200, 201}
        assert (row["span_200"]["0.3"] is None) == (made == "sharp")  # so many scores are 1 that all rates exceed 0.3
        assert set(row["undefined"]) == {key for key, value in row["values"].items() if value is None}
    for row in events_of(told, "mean"):
        single = [rows[row["maps"], name]["values"]["pixel_f1max_200"] for name in IMAGES]
        assert row["values"]["pixel_f1max_200"] == sum(single) / 2
    assert events_of(told, "done") == [{"event": "done", "wrong": 0, "classes": 2, "failed": 0}]


def test_a_ranking_that_flips_is_named(cli, own, folders):
    told = cli("audit", *folders, "-t", f"folder:{own}", *FLAGS, "--json")
    values = {(row["maps"], row["class"]): row["values"] for row in events_of(told, "class")}
    found = {flip["variant"]: flip for flip in events_of(told, "flip")}
    assert found, "the sharp detector leads by rank, and loses by thresholds that are spaced by value"
    for variant, exact in variants.AGAINST.items():
        gaps = {
            name: [values["plain", name][one] - values["sharp", name][one] for one in (exact, variant)]
            for name in IMAGES
            if None not in [values[made, name][one] for made in ("plain", "sharp") for one in (exact, variant)]
        }
        flipped = [name for name, (first, second) in gaps.items() if first * second < 0]
        mean = np.mean(list(gaps.values()), axis=0) if gaps else np.zeros(2)
        assert (variant in found) == bool(flipped or mean[0] * mean[1] < 0)
        if variant in found:
            assert found[variant]["classes"] == flipped
            sign = 1 if found[variant]["first"] == "plain" else -1
            assert found[variant]["leads"] == pytest.approx(sign * mean, abs=1e-12)
            assert found[variant]["leads"][0] >= 0
    assert any("_200" in variant or variant.endswith("_21") for variant in found)


def test_the_tables_show_it(cli, own, folders):
    told = cli("audit", *folders, "-t", f"folder:{own}", *FLAGS, "--per-class")
    assert told.code == 0
    for title in ("detectors of known value", "nut", "folder:parts, mean of 2 classes", "where the ranking flips"):
        assert any(line.strip() == title for line in told.out.splitlines()), title
    assert "75 values, all correct" in told.out
    assert " of 200 (" in told.out
    one = cli("audit", folders[0], "-t", f"folder:{own}", *FLAGS, "--class", "nut", "-q")
    assert "folder:parts/nut" in one.out
    assert "one folder: nothing to rank" in one.out
    assert one.err == ""


def test_a_metric_that_is_wrong_ends_with_1(cli, own, folders, monkeypatch):
    monkeypatch.setattr(variants, "trapezoid_of", lambda counts: 0.5)
    told = cli("audit", folders[0], "-t", f"folder:{own}", *FLAGS)
    assert told.code == 1
    assert "≠ 100.0" in told.out
    assert "of them wrong" in told.out


def test_only_images_that_all_folders_have_are_compared(cli, own, folders):
    (folders[1] / f"{IMAGES['nut'][0]}.npy").unlink()
    told = cli("audit", *folders, "-t", f"folder:{own}", *FLAGS)
    assert told.code == 3
    assert IMAGES["nut"][0] in told.error
    told = cli("audit", *folders, "-t", f"folder:{own}", *FLAGS, "--allow-partial", "--json")
    assert told.code == 0
    rows = {(row["maps"], row["class"]): row["values"] for row in events_of(told, "class")}
    for made, steep in (("plain", 1.0), ("sharp", 12.0)):
        assert rows[made, "nut"]["pixel_ap"] == metrics.average_precision(scored("nut", steep)[1:], truth("nut")[1:])


def test_a_class_that_fails_leaves_the_others(cli, own, folders):
    np.save(folders[0] / f"{IMAGES['bolt'][0]}.npy", np.full((SIDE, SIDE), np.nan))
    told = cli("audit", *folders, "-t", f"folder:{own}", *FLAGS, "--json", "-q")
    assert told.code == 5
    assert f"bolt: the anomaly map of {IMAGES['bolt'][0]} holds NaN" in told.error
    assert {row["class"] for row in events_of(told, "class")} == {"nut"}
    assert events_of(told, "done")[0]["failed"] == 1


def test_the_record_beside_the_maps_says_what_they_are_of(cli, quick, tmp_path):
    for method in ("clip", "token-distance"):
        flags = [flag for flag in quick if flag not in {"-m", "fbclip"}]
        assert cli("run", "-m", method, *flags, "-t", "visa", "--class", "candle", "--save-maps", "-q").code == 0
    saved = sorted(tmp_path.glob("results/visa/*/*.maps"))
    told = cli("audit", *saved, "--class", "candle", "--json")
    assert told.code == 0, told.err
    for row in events_of(told, "class"):
        (path,) = tmp_path.glob(f"results/visa/{row['maps']}/{'?' * 16}.json")
        own = json.loads(path.read_text())["classes"]["candle"]
        shared = own.keys() & row["values"].keys()
        assert {key: row["values"][key] for key in shared} == {key: own[key] for key in shared}
        assert {"pixel_aupro", "pixel_aupro_200", "pixel_ap", "pixel_f1max"} <= shared
    assert cli("audit", *saved, *saved, "--class", "candle").error == "error: a folder is given twice"


def test_mistakes(cli, own, folders, mini, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    assert "pass --target" in cli("audit", folders[0]).error
    assert cli("audit").code == 2
    assert cli("audit", folders[0], "-t", "visa,mvtec").code == 2
    assert "has no masks" in cli("audit", folders[0], "-t", "brainmri").error
    assert cli("audit", tmp_path / "nowhere", "-t", f"folder:{own}").code == 3
