"""What the 200 thresholds see stands below the table of a run, in its details, and in an audit alike."""

from pathlib import Path

import numpy as np
import pytest

from zsadbench import metrics
from zsadbench.data import load_dataset, read_mask, resize_mask_nearest
from zsadbench.records.sidecars import read_details

CLASS = ("-t", "mvtec", "--class", "bottle")
ASKED = ("--metric", "pixel_aupro_200minmax@0.3,pixel_aupro_200_max@0.05")
SAID = "what the 200 thresholds see"


def path_of(told):
    return next(Path(line.strip()) for line in told.out.splitlines() if line.endswith(".json"))


def remarks(told):
    """What stands behind the colon, by the limit in percent."""
    lines = [line.split(": ") for line in told.out.splitlines() if SAID in line and ": " in line]
    return {head.rpartition("0–")[2]: said for head, said in lines}


@pytest.fixture
def pixels(mini):
    """`pixels(folder)`: the accumulator of the saved maps of the class."""

    def make(folder):
        rows = load_dataset("mvtec", [mini]).manifest.query("`class` == 'bottle'")
        found = metrics.PixelMetrics()
        for relative, mask in zip(rows["relative"], rows["mask"], strict=True):
            one = np.load(folder / f"{relative}.npy")
            truth = resize_mask_nearest(read_mask(mask), len(one)) if mask else np.zeros(one.shape, np.uint8)
            found.update(one[None], truth[None])
        return found

    return make


def test_run_score_and_audit_say_the_same_span(cli, quick, pixels):
    told = cli("run", *quick, *CLASS, "--save-maps", *ASKED)
    folder, said = path_of(told).with_suffix(".maps"), remarks(told)
    kept = read_details(path_of(told))["classes"]["bottle"]["span_200"]
    seen = pixels(folder)
    assert set(said) == {"30.0", "5.0"}
    assert set(kept) == {"0.3", "0.05"}
    for limit, span in kept.items():
        assert (span["least"], span["greatest"]) == seen.span_200(float(limit))
        shown = f"{100 * span['least']:.1f}–{100 * span['greatest']:.1f}"
        assert said[f"{100 * float(limit):.1f}"] == f"{shown}, {span['kept']} of {span['thresholds']} (bottle)"
    assert remarks(cli("score", folder, *CLASS, *ASKED)) == said
    audited = cli("audit", folder, *CLASS).out
    assert all(span in audited for span in said.values())


def test_nothing_is_said_where_no_such_variant_was_asked_for(cli, quick):
    assert SAID not in cli("run", *quick, *CLASS, "--metric", "pixel_aupro@0.05").out


def test_a_set_without_masks_has_no_span(cli, quick):
    told = cli("run", *quick, "-t", "brainmri", *ASKED)
    assert told.code == 0
    assert SAID not in told.out
