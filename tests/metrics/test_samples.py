"""Objects seen from several sides: the largest score of their views, or the mean."""

import numpy as np
import pytest

from zsadbench.errors import UsageError
from zsadbench.metrics import MetricName, by_sample, image_metrics, parse_metric, sample_estimates

NAMES = [
    parse_metric(f"image_{kind}@{over}") for kind in ("auroc", "ap", "f1max") for over in ("sample", "sample_mean")
]


def slowly(scores, labels, samples, rule):
    """Object by object, word for word."""
    objects = sorted(set(samples))
    views = {one: [place for place, name in enumerate(samples) if name == one] for one in objects}
    merged = [rule([scores[place] for place in views[one]]) for one in objects]
    return merged, [int(any(labels[place] for place in views[one])) for one in objects]


@pytest.mark.parametrize(("over", "rule"), [("sample", max), ("sample_mean", lambda values: sum(values) / len(values))])
def test_the_definition(over, rule):
    rng = np.random.default_rng(5)
    samples = [f"thing_{number:02d}" for number in rng.integers(0, 12, 60)]
    scores, labels = np.round(rng.random(60), 1), (rng.random(60) < 0.12).astype(int)
    objects, anomalous = slowly(scores, labels, samples, rule)
    found = by_sample(over, scores, labels, samples)
    assert found[0] == pytest.approx(objects, abs=1e-15)
    assert found[1].tolist() == anomalous
    estimates = sample_estimates(NAMES, scores, labels, samples)
    assert estimates[f"image_auroc@{over}"] == image_metrics(found[0], anomalous)["auroc"]
    assert estimates[f"image_f1max@{over}"] == image_metrics(found[0], anomalous)["f1max"]
    order = rng.permutation(60)
    assert sample_estimates(NAMES, scores[order], labels[order], [samples[place] for place in order]) == estimates


def test_the_largest_and_the_mean_are_metrics_of_their_own():
    arguments = [0.0, 0.9, 0.5, 0.5], [0, 1, 0, 0], ["a", "a", "b", "b"]
    found = sample_estimates(NAMES, *arguments)
    assert list(found) == [str(name) for name in NAMES]
    assert (found["image_auroc@sample"].value, found["image_auroc@sample_mean"].value) == (1.0, 0.0)


def test_an_object_is_anomalous_when_one_view_is():
    scores, labels = by_sample("sample", [0.1, 0.2, 0.3], [0, 1, 0], ["a", "a", "b"])
    assert (scores.tolist(), labels.tolist()) == ([0.2, 0.3], [1, 0])


def test_other_names_are_left_alone_and_what_is_undefined_has_a_reason():
    plain = [parse_metric("image_auroc"), parse_metric("pixel_aupro@0.05")]
    assert sample_estimates(plain, [0.1, 0.2], [0, 1], ["a", "b"]) == {}
    reasons = {
        ("", ""): "the data set does not show its objects from several sides",
        ("a", ""): "1 images belong to no object",
        ("a", "a"): "no normal object",
    }
    for samples, reason in reasons.items():
        found = sample_estimates(NAMES, [0.1, 0.2], [0, 1], samples)
        assert {(one.value, one.reason) for one in found.values()} == {(None, reason)}
    normal = sample_estimates(NAMES, [0.1, 0.2], [0, 0], ["a", "b"])
    assert {one.reason for one in normal.values()} == {"no anomalous object"}


def test_wrong_arguments():
    with pytest.raises(ValueError, match="do not go together"):
        sample_estimates(NAMES, [0.1, 0.2], [0, 1], ["a"])
    with pytest.raises(ValueError, match="NaN"):
        sample_estimates(NAMES, [0.1, np.nan], [0, 1], ["a", "b"])


def test_names_over_samples_are_read_and_spelled_in_one_way():
    assert parse_metric("image_auroc@sample_max") == parse_metric("image_auroc@sample") == NAMES[0]
    assert NAMES[0] == MetricName("image", "auroc", None, "sample")
    assert [str(parse_metric(str(name))) for name in NAMES] == [str(name) for name in NAMES]
    for wrong in ("pixel_auroc@sample", "pixel_aupro@sample_mean"):
        with pytest.raises(UsageError, match="cannot be taken over"):
            parse_metric(wrong)
    with pytest.raises(UsageError, match="cannot be taken over 'view'"):
        MetricName("image", "ap", None, "view")
