"""Errors of scores, colour scales and patterns of failure against their definitions."""

import numpy as np
import pandas as pd
import pytest

from zsadbench.compare.failures.colour_scale import ColourScale, colour_scale_of, evenly
from zsadbench.compare.failures.patterns import DIFFUSE, GLOW, MISSED, measure
from zsadbench.compare.failures.rank_errors import errors_of
from zsadbench.compare.failures.runs import Run
from zsadbench.metrics import image_auroc


def test_errors_are_what_auroc_counts():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"path": [str(n) for n in range(60)], "class": ["a", "b"] * 30, "label": rng.integers(0, 2, 60)}
    )
    frame["score"] = rng.integers(0, 9, 60) / 9  # many ties
    errors = errors_of(frame)
    for _, part in frame.groupby("class"):
        for label in (0, 1):
            own, other = part[part["label"] == label], part[part["label"] != label]["score"]
            sign = 1 if label == 0 else -1
            for row in own.itertuples():
                beaten = (sign * (row.score - other) > 0).mean() + (row.score == other).mean() / 2
                assert errors[row.path] == pytest.approx(beaten)
            mean = np.mean([errors[path] for path in own["path"]])
            assert 1 - mean == pytest.approx(image_auroc(part["score"], part["label"]))


def test_without_the_other_label_there_is_no_error():
    frame = pd.DataFrame({"path": ["a"], "class": "x", "label": [1], "score": [0.3]})
    assert errors_of(frame) == {"a": None}


def run_of(maps, tmp_path):
    for name, one in maps.items():
        np.save(tmp_path / f"{name}.npy", one.astype(np.float32))
    return Run("m", None, pd.DataFrame(), tmp_path)


def test_a_normal_image_does_not_glow_and_a_defect_does(tmp_path):
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), bool)
    mask[:16, :16] = True
    maps = {f"n{k}": rng.normal(size=(64, 64)) for k in range(20)} | {
        f"a{k}": rng.normal(size=(64, 64)) for k in range(5)
    }
    for k in range(5):
        maps[f"a{k}"][mask] += 8
    run = run_of(maps, tmp_path)
    levels = colour_scale_of(run, [(name, int(name[0] == "a")) for name in maps], lambda path, shape: mask)
    assert levels.red == pytest.approx(8, abs=0.2)
    placed = levels.scaled(maps["n0"])
    assert (placed <= 1 / 3).mean() > 0.98
    assert (placed < 1).all()
    assert (levels.scaled(maps["a0"])[mask] > 1 / 3).all()
    assert np.median(levels.scaled(maps["a0"])[mask]) == pytest.approx(1, abs=0.05)


def test_a_method_that_cannot_tell_defects_stays_dark(tmp_path):
    rng = np.random.default_rng(0)
    maps = {f"{kind}{k}": rng.random((64, 64)) for kind in "na" for k in range(5)}
    run = run_of(maps, tmp_path)
    levels = colour_scale_of(
        run, [(name, int(name[0] == "a")) for name in maps], lambda path, shape: np.eye(64, dtype=bool)
    )
    assert all((levels.scaled(one) >= 1).mean() < 0.01 for one in maps.values())


@pytest.mark.parametrize(
    ("names", "masked", "said"),
    [("na", False, "there are no masks"), ("n", False, "no anomalous image"), ("a", False, "no normal one")],
)
def test_levels_say_which_pixels_gave_them(tmp_path, names, masked, said):
    maps = {name: np.random.default_rng(0).random((8, 8)) for name in names}
    levels = colour_scale_of(run_of(maps, tmp_path), [(n, int(n == "a")) for n in names], lambda path, shape: None)
    assert said in levels.source
    assert levels.usual <= levels.rare <= levels.red


def test_constant_maps_have_a_scale_and_are_dark(tmp_path):
    levels = colour_scale_of(run_of({"n": np.ones((8, 8))}, tmp_path), [("n", 0)], lambda path, shape: None)
    assert (levels.scaled(np.ones((8, 8))) == 0).all()


LEVELS = ColourScale(0.0, 1.0, 2.0, "")


def test_patterns_are_found_by_their_rules_alone():
    quiet = np.zeros((20, 20), np.float32)
    mask = np.zeros((20, 20), bool)
    mask[0, :4] = True  # one hundredth of the image
    glowing = quiet.copy()
    glowing[0, :4] = 2.0
    assert measure(glowing, None, 0, LEVELS).tags == (GLOW,)
    glowing[0, 0] = 1.9
    assert measure(glowing, None, 0, LEVELS).tags == ()
    assert measure(quiet, mask, 1, LEVELS).tags == (MISSED,)
    found = quiet + 3 * mask
    assert measure(found, mask, 1, LEVELS).tags == ()
    assert measure(found, mask, 1, LEVELS).missed == 0
    large = mask.copy()
    large[0, 4] = True  # more than a hundredth
    assert measure(quiet, large, 1, LEVELS).tags == ()
    diffuse = found.copy()
    diffuse[10:12] = 1.5  # 40 of 396
    assert measure(diffuse, mask, 1, LEVELS).tags == (DIFFUSE,)
    diffuse[11, 0] = 0.5
    assert measure(diffuse, mask, 1, LEVELS).tags == ()


def test_a_mask_that_vanished_or_is_unknown_gives_no_measure():
    empty = np.zeros((4, 4), bool)
    for mask in (empty, None):
        assert measure(np.ones((4, 4), np.float32), mask, 1, LEVELS).missed is None


def test_evenly_keeps_few_and_spreads_many():
    items = [(str(n), 0) for n in range(10)]
    assert evenly(items, 10) == items
    assert [name for name, _ in evenly(items, 3)] == ["0", "3", "6"]
