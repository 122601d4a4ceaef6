"""Numbers that the published code gave: scikit-learn, FB-CLIP's and AF-CLIP's AUPRO, the exact AUPRO."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from zsadbench.metrics import ClassMetrics, parse_metric
from zsadbench.metrics.pro200 import thresholds

NAMES = {
    "image_auroc": "image_auroc",
    "image_ap": "image_ap",
    "image_f1max": "image_max_f1",
    "pixel_auroc": "pixel_auroc",
    "pixel_ap": "pixel_ap",
    "pixel_f1max": "pixel_max_f1",
    "pixel_aupro": "aupro_exact",
    "pixel_aupro_200": "aupro_200_minmax",
    "pixel_aupro_200_max": "aupro_200_max",
}


@pytest.fixture(scope="module")
def fixture():
    if "ZSADBENCH_FIXTURES" not in os.environ:
        pytest.skip("ZSADBENCH_FIXTURES is not set: no published numbers to compare with")
    folder = Path(os.environ["ZSADBENCH_FIXTURES"], "metrics")
    return json.loads((folder / "fixture.json").read_text()), load_file(folder / "inputs.safetensors")


def evaluate(arrays, name):
    metrics = ClassMetrics([parse_metric(key) for key in NAMES])
    maps, masks = arrays[f"{name}/maps"], arrays[f"{name}/masks"]
    for batch in (slice(0, 5), slice(5, None)):
        images = arrays[f"{name}/image_scores"][batch], arrays[f"{name}/labels"][batch]
        metrics.update(*images, maps[batch], masks[batch])
    return metrics


def test_every_published_value_is_reproduced(fixture):
    card, arrays = fixture
    found = {name: evaluate(arrays, name) for name in card["classes"]}
    values = {name: {key: one.value for key, one in metrics.compute().items()} for name, metrics in found.items()}
    for name in card["classes"]:
        expected = {key: card["values"][name][official] for key, official in NAMES.items()}
        assert values[name] == pytest.approx(expected, abs=1e-12, rel=0)
        assert found[name].regions == card["values"][name]["regions_8"] != card["values"][name]["regions_4"]
    means = {key: np.mean([values[name][key] for name in card["classes"]]) for key in NAMES}
    assert means == pytest.approx({key: card["values"]["mean"][NAMES[key]] for key in NAMES}, abs=1e-12, rel=0)


def test_the_published_number_of_thresholds_is_reproduced(fixture):
    card, arrays = fixture
    for name in card["classes"]:
        maps = arrays[f"{name}/maps"]
        assert len(thresholds(maps.min(), maps.max())) == card["values"][name]["threshold_count_200"]
