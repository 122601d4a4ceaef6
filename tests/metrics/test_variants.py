"""The variants of one name: each against its definition, and five detectors of known value."""

import numpy as np
import pytest
from sklearn.metrics import auc, f1_score, precision_recall_curve

from zsadbench import metrics
from zsadbench.metrics import variants, variants_known
from zsadbench.metrics.pro200 import thresholds
from zsadbench.metrics.variants import AGAINST, LIMITS, NAMES, VariantMetrics
from zsadbench.metrics.variants_known import DETECTORS, known_values


def pictures(seed, levels=None, steep=1.0):
    """Maps (6, 24, 24) float32 that know something of their masks; few levels make many ties."""
    draw = np.random.default_rng(seed)
    masks = np.zeros((6, 24, 24), bool)
    for mask in masks[2:]:
        top, left = draw.integers(0, 16, 2)
        mask[top : top + 5, left : left + 5] = True
        mask[top + 5, left + 5] = True  # touches by a corner
    maps = draw.normal(size=masks.shape) + masks
    maps = 1 / (1 + np.exp(-steep * maps))
    if levels:
        maps = np.round(maps * levels) / levels
    return maps.astype(np.float32), masks


def found_for(maps, masks):
    collected = VariantMetrics()
    for part in (slice(0, 2), slice(2, None)):
        collected.update(maps[part], masks[part])
    return collected.compute()


def cuts(maps):
    """The 200 thresholds in the precision of the scores, as they are compared."""
    return thresholds(maps.min(), maps.max()).astype(np.float32)


@pytest.fixture(params=[(0, None, 1.0), (1, 7, 1.0), (2, 40, 6.0), (3, 1, 1.0)], ids=str)
def case(request):
    return pictures(*request.param)


def test_the_exact_ones_are_the_metrics(case):
    values = {name: one.value for name, one in found_for(*case).values.items()}
    assert list(values) == list(NAMES)
    assert values["pixel_aupro"] == metrics.aupro(*case)
    assert values["pixel_aupro_4connected"] == metrics.aupro(*case, connectivity=4) != values["pixel_aupro"]
    assert values["pixel_ap"] == metrics.average_precision(*case)
    assert values["pixel_f1max"] == metrics.f1_max(*case)
    for limit in (0.05, 1.0):
        assert values[f"pixel_aupro@{limit:g}"] == metrics.aupro(*case, limit)
        assert values[f"pixel_aupro_200@{limit:g}"] == metrics.aupro_200(*case, limit)
        assert values[f"pixel_aupro_200_max@{limit:g}"] == metrics.aupro_200_max(*case, limit)


def test_trapezoids_are_those_of_scikit_learn(case):
    maps, masks = case
    precision, recall, _ = precision_recall_curve(masks.reshape(-1), maps.reshape(-1))
    found = found_for(maps, masks).values["pixel_ap_trapezoid"].value
    assert found == pytest.approx(auc(recall, precision), abs=1e-12, rel=0)
    assert found != pytest.approx(metrics.average_precision(maps, masks), abs=1e-6)


def test_f1_on_a_grid_is_the_best_of_its_thresholds(case):
    maps, masks = case
    grids = {"pixel_f1max_200": cuts(maps)}
    grids["pixel_f1max_21"] = np.linspace(maps.min(), maps.max(), 21, dtype=np.float32)
    for name, grid in grids.items():
        best = max(f1_score(masks.reshape(-1), maps.reshape(-1) > one, zero_division=0.0) for one in grid)
        found = found_for(maps, masks).values[name].value
        assert found == pytest.approx(best, abs=1e-12, rel=0)
        assert found <= metrics.f1_max(maps, masks)


def test_spans_are_the_rates_of_the_kept_thresholds(case):
    maps, masks = case
    rates = np.array([(maps[~masks] > one).mean() for one in cuts(maps)])
    for limit, span in found_for(maps, masks).spans.items():
        kept = rates[rates < limit]
        if kept.size == 0:
            assert span is None
            continue
        assert span[:2] == pytest.approx((kept.min(), kept.max()), abs=1e-12)
        assert span[2:] == (kept.size, rates.size)


def test_without_anomalies_every_variant_says_why():
    found = found_for(pictures(0)[0], np.zeros((6, 24, 24), bool))
    assert {one.reason for one in found.values.values()} == {"no anomalous pixel"}
    assert set(found.spans.values()) == {None}
    assert set(found.spans) == set(LIMITS)


def test_each_variant_stands_against_an_exact_one():
    assert set(AGAINST) == set(NAMES) - {"pixel_aupro", "pixel_ap", "pixel_f1max"}
    assert AGAINST["pixel_aupro_200_max@0.05"] == "pixel_aupro@0.05"
    assert AGAINST["pixel_ap_trapezoid"] == "pixel_ap"
    assert AGAINST["pixel_f1max_21"] == "pixel_f1max"


def test_five_detectors_give_what_they_must():
    known = known_values()
    assert [(one.detector, one.variant) for one in known] == [(one, name) for one in DETECTORS for name in NAMES]
    assert [one for one in known if not one.passed] == []
    share = variants_known.generated_masks().mean()
    expected = {(one.detector, one.variant): one.expected for one in known}
    assert expected["constant", "pixel_ap_trapezoid"] == (1 + share) / 2
    assert expected["inverted", "pixel_f1max"] == 2 * share / (1 + share)
    assert expected["mask copy", "pixel_aupro_200"] is None
    assert expected["perfect", "pixel_aupro_200@0.05"] == 1
    assert expected["random", "pixel_aupro@1"] == 0.5


@pytest.mark.parametrize(
    ("wrong", "caught"),
    [("trapezoid_of", {"constant", "inverted"}), ("f1_at", {"random", "inverted", "constant", "perfect", "mask copy"})],
)
def test_a_wrong_metric_is_caught(monkeypatch, wrong, caught):
    spoiled = {
        "trapezoid_of": metrics.precision.average_precision_of,  # steps in place of trapezoids
        "f1_at": lambda curve, counts, every=1: metrics.Estimate.sure(0.5),
    }
    monkeypatch.setattr(variants, wrong, spoiled[wrong])
    assert {one.detector for one in known_values() if not one.passed} == caught
