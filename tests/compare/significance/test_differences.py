"""Bootstrap, test and rank intervals against their definitions, and cases in which there is no test."""

import numpy as np
import pytest
from scipy.stats import wilcoxon
from sklearn.metrics import average_precision_score, roc_auc_score

from zsadbench.compare.significance.differences import (
    ImageScores,
    Sample,
    against,
    differences,
    holm,
    rank_intervals,
    smallest_p,
    weighted_ap,
    weighted_auroc,
)


def sets_of(values, count):
    """`count` data sets of two classes; `values[method](number)` is the value on set `number`."""
    return {
        f"set{number}": {
            name: Sample({key: np.array([value(number)]) for key, value in values.items()}) for name in "xy"
        }
        for number in range(count)
    }


@pytest.mark.parametrize(("ours", "peer"), [(weighted_auroc, roc_auc_score), (weighted_ap, average_precision_score)])
def test_counting_an_image_twice_is_repeating_it(ours, peer):
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, 40) / 5, rng.integers(0, 2, 40)  # with ties
    weights = rng.multinomial(40, np.full(40, 1 / 40), size=5).astype(float)
    expected = [peer(np.repeat(labels, row.astype(int)), np.repeat(scores, row.astype(int))) for row in weights]
    assert ours(scores, labels, weights) == pytest.approx(expected, abs=1e-12)


def test_holm_keeps_the_order_of_the_pairs_and_never_falls():
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])


def test_p_is_wilcoxons_over_data_sets():
    rng = np.random.default_rng(1)
    gaps = rng.normal(0.01, 0.02, 8)
    (found,) = differences(sets_of({"a": lambda n: 0.8 + gaps[n], "b": lambda n: 0.8}, 8), ["a", "b"], "pixel_auroc")
    assert found.p == pytest.approx(wilcoxon(gaps).pvalue)
    assert found.mean == pytest.approx(gaps.mean())


def test_fewer_than_six_data_sets_give_no_test_but_an_interval():
    (found,) = differences(sets_of({"a": lambda n: 0.9, "b": lambda n: 0.8}, 5), ["a", "b"], "pixel_auroc")
    assert found.p is None
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))
    assert rank_intervals([found], ["a", "b"]) == {"a": (1, 2), "b": (1, 2)}


def test_rank_intervals_count_the_significantly_better_and_worse():
    values = {
        "a": lambda n: 0.9 + n / 1000,
        "b": lambda n: 0.8 - n / 900,
        "c": lambda n: 0.8 + 0 - n / 900 + (-1) ** n * 0.01,
    }
    found = differences(sets_of(values, 12), list(values), "pixel_auroc")
    assert rank_intervals(found, list(values)) == {"a": (1, 1), "b": (2, 3), "c": (2, 3)}


def test_equal_methods_are_no_different():
    (found,) = differences(sets_of({"a": lambda n: 0.9, "b": lambda n: 0.9}, 6), ["a", "b"], "image_auroc")
    assert (found.p, found.mean, found.low, found.high) == (1.0, 0.0, 0.0, 0.0)


def test_images_widen_the_interval_and_are_paired():
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 15)
    one, other = (labels + rng.normal(0, 1.5, (1, 30)) for _ in range(2))

    def data(images, second):
        values = {"a": np.array([roc_auc_score(labels, one[0])]), "b": np.array([roc_auc_score(labels, second[0])])}
        return {"only": {"x": Sample(values, ImageScores(labels, {"a": one, "b": second}) if images else None)}}

    (fixed,), (drawn,) = (differences(data(images, other), ["a", "b"], "image_auroc") for images in (False, True))
    assert fixed.low == fixed.high == pytest.approx(fixed.mean)
    assert drawn.high - drawn.low > 0.1
    (same,) = differences(data(True, one), ["a", "b"], "image_auroc")
    assert (same.low, same.high) == (0.0, 0.0)


def test_seeds_are_drawn_too_and_the_draws_are_repeatable():
    data = {"s": {"x": Sample({"a": np.array([0.7, 0.9]), "b": np.array([0.8])})}}
    first, again = (differences(data, ["a", "b"], "pixel_auroc") for _ in range(2))
    assert first == again
    assert (first[0].low, first[0].high) == pytest.approx((-0.1, 0.1))


@pytest.mark.parametrize("sets", [6, 9, 16])
def test_the_smallest_p_is_that_of_equal_signs(sets):
    assert smallest_p(sets) == pytest.approx(wilcoxon(np.arange(1, sets + 1)).pvalue)


def test_a_reference_is_corrected_over_its_own_comparisons_and_turned_to_the_left():
    rng = np.random.default_rng(4)
    columns = {
        name: 0.8 + level + rng.normal(0, 0.01, 9) for name, level in zip("abcd", (0, 0.01, 0.012, 0.02), strict=True)
    }
    pairs = differences(
        sets_of({name: lambda n, column=column: column[n] for name, column in columns.items()}, 9), "abcd", "pixel_ap"
    )
    found = against(pairs, "c")
    assert [(pair.left, pair.right) for pair in found] == [("c", "a"), ("c", "b"), ("c", "d")]
    raw = [wilcoxon(columns["c"] - columns[name]).pvalue for name in "abd"]
    assert [pair.raw for pair in found] == pytest.approx(raw)
    assert [pair.p for pair in found] == pytest.approx(holm(raw))
    for pair in found:
        assert pair.mean == pytest.approx((columns["c"] - columns[pair.right]).mean())
        assert pair.low <= pair.mean <= pair.high
