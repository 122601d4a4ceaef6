"""Names: read, spelled, refused; and the documentation that uses them."""

import doctest
import importlib
import pkgutil

import pytest

from zsadbench import metrics
from zsadbench.errors import UsageError
from zsadbench.metrics import DEFAULT_NAMES, MetricName, parse_metric

DEFAULT_KEYS = [f"image_{kind}" for kind in ("auroc", "ap", "f1max")] + [
    f"pixel_{kind}" for kind in ("auroc", "ap", "f1max", "aupro", "aupro_200", "aupro_200_max")
]


def test_the_default_names_are_those_of_every_record():
    assert [str(name) for name in DEFAULT_NAMES] == DEFAULT_KEYS
    assert [parse_metric(key) for key in DEFAULT_KEYS] == list(DEFAULT_NAMES)


@pytest.mark.parametrize(
    ("text", "key", "name"),
    [
        ("pixel_aupro@0.3", "pixel_aupro", MetricName("pixel", "aupro", 0.3)),
        ("pixel_aupro@0.05", "pixel_aupro@0.05", MetricName("pixel", "aupro", 0.05)),
        ("pixel_aupro@5e-2", "pixel_aupro@0.05", MetricName("pixel", "aupro", 0.05)),
        ("pixel_aupro@1.0", "pixel_aupro@1", MetricName("pixel", "aupro", 1.0)),
        ("pixel_aupro_200@.05", "pixel_aupro_200@0.05", MetricName("pixel", "aupro_200", 0.05)),
        ("pixel_aupro_200minmax@0.3", "pixel_aupro_200", MetricName("pixel", "aupro_200", 0.3)),
        ("pixel_aupro_200minmax", "pixel_aupro_200", MetricName("pixel", "aupro_200", 0.3)),
        ("pixel_aupro_200max@0.05", "pixel_aupro_200_max@0.05", MetricName("pixel", "aupro_200_max", 0.05)),
        ("pixel_aupro@0.123456789012", "pixel_aupro@0.123456789012", MetricName("pixel", "aupro", 0.123456789012)),
        ("pixel_ap", "pixel_ap", MetricName("pixel", "ap")),
        ("image_ap@sample_max", "image_ap@sample", MetricName("image", "ap", None, "sample")),
        ("pixel_auroc@pooled", "pixel_auroc@pooled", MetricName("pixel", "auroc", None, "pooled")),
        ("image_f1@aux", "image_f1@aux", MetricName("image", "f1", None, "aux")),
        ("pixel_segf1", "pixel_segf1", MetricName("pixel", "segf1")),
    ],
)
def test_a_name_is_read_and_spelled_in_one_way(text, key, name):
    assert parse_metric(text) == name
    assert str(name) == key
    assert parse_metric(key) == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pixel_auprc", "no metric named 'pixel_auprc'; did you mean 'pixel_auroc'|did you mean 'pixel_aupro'"),
        ("image_aupro", "no metric named 'image_aupro'"),
        ("image_segf1", "no metric named 'image_segf1'; did you mean 'pixel_segf1'"),
        ("pixel_segf1@0.3", "'pixel_segf1' takes no limit"),
        ("pixel_segf1@aux", "'pixel_segf1' cannot be taken over 'aux'"),
        ("xyz", "known: image_ap, image_auroc"),
        ("", "no metric named ''"),
        ("pixel_aupro@pooled", "'pixel_aupro' cannot be taken over 'pooled'"),
        ("image_auroc@aux", "'image_auroc' cannot be taken over 'aux'"),
        ("pixel_f1", "'pixel_f1' needs a threshold; write 'pixel_f1@aux'"),
        ("pixel_f1@pooled", "'pixel_f1' needs a threshold"),
        ("pixel_aupro@sample", "cannot be taken over 'sample'"),
        ("image_auroc@0.3", "takes no limit"),
        ("pixel_aupro@", "which is no number"),
        ("pixel_aupro@nan", "which is no number"),
        ("pixel_aupro@-0.3", "which is no number"),
        ("pixel_aupro@0.3@0.3", "which is no number"),
        ("pixel_aupro@0", r"must lie in \(0, 1\]"),
        ("pixel_aupro@30", r"must lie in \(0, 1\]"),
    ],
)
def test_a_name_that_cannot_be_right_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse_metric(text)


def test_a_name_cannot_be_built_wrongly():
    for wrong in (("pixel", "aupro"), ("image", "aupro", 0.3), ("pixel", "ap", 0.3), ("voxel", "ap")):
        with pytest.raises(UsageError):
            MetricName(*wrong)


def test_the_public_names_exist_and_the_examples_are_true():
    assert all(hasattr(metrics, name) for name in metrics.__all__)
    tried = {}
    for module in pkgutil.walk_packages(metrics.__path__, "zsadbench.metrics."):
        result = doctest.testmod(importlib.import_module(module.name))
        assert result.failed == 0, module.name
        tried[module.name.removeprefix("zsadbench.metrics.")] = result.attempted
    chapters = {"roc", "precision", "f1", "pro", "pro200", "rank_metrics", "regions", "pixels", "names", "by_class"}
    assert {name for name, examples in tried.items() if examples} >= chapters
