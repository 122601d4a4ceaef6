"""Friedman's test and the critical difference against another implementation and printed tables."""

import numpy as np
import pandas as pd
import pytest
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy.stats import friedmanchisquare

from zsadbench.compare.significance.critical_difference import critical_difference, nemenyi


def values_of(sets, gaps, seed=0):
    """Values of `len(gaps)` methods on `sets` data sets, at the digits that are printed."""
    rng = np.random.default_rng(seed)
    values = 0.5 + np.array(gaps) + rng.normal(0, 0.05, (sets, len(gaps)))
    return pd.DataFrame(values.round(3), columns=list("abcdefgh"[: len(gaps)]))


# Demšar (2006), table 5(a): critical values of the two-tailed Nemenyi test
@pytest.mark.parametrize(
    ("methods", "alpha", "quantile"),
    [(3, 0.05, 2.343), (6, 0.05, 2.850), (10, 0.05, 3.164), (4, 0.10, 2.291), (10, 0.10, 2.920)],
)
def test_the_critical_values_are_the_printed_ones(methods, alpha, quantile):
    scale = np.sqrt(methods * (methods + 1) / (6 * 7))
    assert nemenyi(methods, 7, alpha) / scale == pytest.approx(quantile, abs=1e-3)  # some are cut, not rounded


@pytest.mark.parametrize("seed", range(4))
def test_pairs_apart_are_those_of_scikit_posthocs(seed):
    values = values_of(12, [0.0, 0.03, 0.06, 0.12, 0.13], seed)
    found = critical_difference(values)
    theirs = posthoc_nemenyi_friedman(values)
    together = {frozenset((a, b)) for clique in found.cliques for a in clique for b in clique if a != b}
    expected = {frozenset((a, b)) for a in values for b in values if a < b and theirs.loc[a, b] > 0.05}
    assert found.p < 0.05
    assert together == expected


def test_mean_ranks_and_p_are_friedmans():
    values = values_of(9, [0.0, 0.1, 0.02])
    found = critical_difference(values)
    assert found.p == pytest.approx(friedmanchisquare(*values.to_numpy().T).pvalue)
    assert list(found.ranks) == sorted(found.ranks, key=found.ranks.get)
    assert sum(found.ranks.values()) == pytest.approx(6)
    assert found.sets == 9


def test_ranks_are_shared_where_numbers_are_printed_alike():
    values = pd.DataFrame({"a": [0.90001] * 6, "b": [0.90004] * 6, "c": [0.8] * 6})
    assert critical_difference(values).ranks == {"a": 1.5, "b": 1.5, "c": 3.0}


def test_where_friedman_finds_nothing_no_two_are_told_apart():
    values = values_of(6, [0.0, 0.0, 0.0])
    found = critical_difference(values)
    assert found.p > 0.05
    assert [set(clique) for clique in found.cliques] == [{"a", "b", "c"}]


def test_equal_methods_give_p_1():
    assert critical_difference(pd.DataFrame(dict.fromkeys("abc", [0.5] * 6))).p == 1.0


@pytest.mark.parametrize(
    ("sets", "methods", "said"),
    [(5, 3, "5 data sets: the test needs 6"), (9, 2, "2 methods: the test needs 3")],
)
def test_too_few_sets_or_methods_are_ranked_but_not_tested(sets, methods, said):
    found = critical_difference(values_of(sets, [0.1] * methods))
    assert (found.p, found.distance, found.cliques, found.reason) == (None, None, (), said)
    assert len(found.ranks) == methods


@pytest.mark.parametrize(
    ("values", "alpha"),
    [(pd.DataFrame({"a": [0.1, None]}), 0.05), (pd.DataFrame(), 0.05), (pd.DataFrame({"a": [0.1]}), 1.0)],
)
def test_gaps_and_wrong_levels_are_refused(values, alpha):
    with pytest.raises(ValueError, match=r"every method|alpha"):
        critical_difference(values, alpha)
