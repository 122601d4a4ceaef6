"""ClassMetrics: every requested name of one class, whatever the data set lacks."""

import numpy as np
import pytest

from zsadbench import metrics
from zsadbench.metrics import DEFAULT_NAMES, ClassMetrics, Estimate, parse_metric


@pytest.fixture
def batch():
    rng = np.random.default_rng(8)
    masks = np.zeros((6, 9, 9), bool)
    masks[:3, 2:4, 2:6] = masks[1, 7, 7] = True
    maps = rng.random(masks.shape) + 0.3 * masks
    return rng.random(6), np.array([1, 1, 1, 0, 0, 1]), maps, masks  # the last mask has lost its anomaly


def test_every_default_name_has_a_number(batch):
    whole, batched = ClassMetrics(), ClassMetrics()
    whole.update(*batch)
    for part in (slice(4, 6), slice(0, 3), slice(3, 4)):
        batched.update(*(one[part] for one in batch))
    found = whole.compute()
    assert list(found) == [str(name) for name in DEFAULT_NAMES]
    assert all(one.value is not None for one in found.values())
    assert found == batched.compute()
    assert whole.regions == batched.regions == 4
    assert found["image_auroc"].value == metrics.image_auroc(*batch[:2])
    assert found["pixel_aupro"].value == metrics.aupro(*batch[2:])
    assert found["pixel_aupro_200_max"].value == metrics.aupro_200_max(*batch[2:])


def test_only_what_was_asked_for_in_that_order(batch):
    keys = ["pixel_aupro_200@0.05", "image_ap", "pixel_aupro@0.05", "pixel_aupro"]
    asked = ClassMetrics([parse_metric(key) for key in keys])
    asked.update(*batch)
    found = asked.compute()
    assert list(found) == keys
    assert found["pixel_aupro@0.05"].value == metrics.aupro(*batch[2:], limit=0.05) != found["pixel_aupro"].value
    assert found["pixel_aupro_200@0.05"].value == metrics.aupro_200(*batch[2:], limit=0.05)


def test_a_data_set_without_masks(batch):
    scores, labels, maps, masks = batch
    without = ClassMetrics([*DEFAULT_NAMES, parse_metric("pixel_aupro@0.05")], masks=False)
    without.update(scores[:3], labels[:3])
    without.update(scores[3:], labels[3:], maps[3:])
    found = without.compute()
    for key, one in found.items():
        if key.startswith("pixel"):
            assert one == Estimate.undefined("the data set has no masks")
    assert found["image_auroc"].value == metrics.image_auroc(scores, labels)
    assert len(found) == 10
    assert without.regions == 0
    with pytest.raises(ValueError, match="has none"):
        without.update(scores, labels, maps, masks)


def test_a_data_set_of_anomalies_alone(batch):
    scores, labels, maps, masks = (one[:3] for one in batch)
    alone = ClassMetrics()
    alone.update(scores, labels, list(maps), list(masks))
    found = alone.compute()
    assert {key: one.reason for key, one in found.items() if one.value is None} == dict.fromkeys(
        ("image_auroc", "image_ap", "image_f1max"), "no normal image"
    )
    assert len([one for one in found.values() if one.value is not None]) == 6


def test_a_wrong_batch_leaves_no_trace(batch):
    scores, labels, maps, masks = batch
    spoilt = maps.copy()
    spoilt[5, 0, 0] = np.nan
    right = ClassMetrics()
    for wrong, message in (
        ((scores, labels, spoilt, masks), r"scores\[5\]"),
        ((scores, labels), "are missing"),
        ((scores, labels, maps), "are missing"),
        ((scores[:4], labels[:4], maps, masks), "6 maps but 4 labels"),
        ((scores, labels[:4], maps, masks), "differ in shape"),
        ((scores * np.nan, labels, maps, masks), r"scores\[0\] is NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            right.update(*wrong)
    assert {one.value for one in right.compute().values()} == {None}
    right.update(*batch)
    assert right.compute()["pixel_aupro"].value == metrics.aupro(maps, masks)
