"""Values that a report derives, recomputed from its own `results.csv` with SciPy alone.

Nothing of `zsadbench.compare` takes part in the recomputation: pandas reads the file, SciPy tests.
"""

import itertools
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap, friedmanchisquare, rankdata, studentized_range, wilcoxon

from zsadbench.compare import contents_of
from zsadbench_reports.html.page import write_html
from zsadbench_reports.tidy import write_tidy

INDUSTRIAL = ("visa", "mvtec", "btad", "mpdd", "dagm", "dtd")
MEDICAL = ("headct", "brainmri")
METHODS = {"fbclip": 0.0, "afclip": -0.012, "anomalyclip": -0.03, "winclip": -0.09}
PAPER = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}}
METRIC = "image_auroc"


@pytest.fixture(scope="module")
def board(make_board, make_record):
    """Four methods, eight data sets of three classes, two seeds; values with noise, on every metric."""
    rng = np.random.default_rng(7)
    records = []
    for target in (*INDUSTRIAL, *MEDICAL):
        level = rng.uniform(0.8, 0.9)
        for (method, better), seed in itertools.product(METHODS.items(), (0, 1)):
            values = {f"class {number}": float(level + better + rng.normal(0, 0.012)) for number in range(3)}
            records.append(make_record(method, target, values, seed=seed, **PAPER))
    return make_board(records)


@pytest.fixture(scope="module")
def rows(board, tmp_path_factory):
    """The measured rows of `results.csv`, and all its rows."""
    path = next(one for one in write_tidy(board, tmp_path_factory.mktemp("csv"), None) if one.name == "results.csv")
    return pd.read_csv(path, keep_default_na=False, dtype={"seed": str, "shots": str})


@pytest.fixture(scope="module")
def measured(rows):
    own = rows[(rows["source"] == "measured") & (rows["metric"] == METRIC)]
    return own.assign(value=own["value"].astype(float))


@pytest.fixture(scope="module")
def means(measured):
    """Data sets × methods: the mean over seeds of the mean over classes, recomputed from the classes."""
    classes = measured[measured["class"] != "mean"]
    return classes.groupby(["target", "entry"])["value"].mean().unstack()[list(METHODS)]


@pytest.fixture(scope="module")
def tables(board):
    return {table.key: table for table in contents_of(board).all()}


def printed(value):
    return f"{100 * value:.1f}"


def cells(table, block, label, index=0):
    """Method → number of one row of the main table."""
    (row,) = [row for row in table.rows if row.block.startswith(block) and row.label.startswith(label)]
    return dict(zip(table.columns, (cell[index] for cell in row.cells), strict=True))


def lines(table):
    return {row.label: row.cells for row in table.rows}


def holm(values):
    """Holm's step-down correction in one line: the largest of (M − rank) p over all smaller p."""
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate([(len(values) - k) * values[i] for k, i in enumerate(order)])
    return dict(zip(order, np.minimum(stepped, 1), strict=True))


def ranks_of(means):
    """Ranks on every data set, of the numbers as printed; 1 is best."""
    return np.array([rankdata([-float(printed(value)) for value in row]) for row in means.to_numpy()])


def test_1_means_over_seeds_and_2_their_deviations(tables, measured):
    seeds = measured[(measured["class"] != "mean") & (measured["target"] == "visa")]
    by_seed = seeds.groupby(["entry", "seed"])["value"].mean().unstack()
    shown = cells(tables["measured-1"], "industrial, image", "VisA")
    for method in METHODS:
        first, second = by_seed.loc[method]
        assert shown[method].text == printed((first + second) / 2)
        assert shown[method].spread_text == printed(abs(first - second) / math.sqrt(2))


@pytest.mark.parametrize(("domain", "targets"), [("industrial", INDUSTRIAL), ("medical", MEDICAL)])
def test_3_means_over_data_sets_and_4_average_ranks(tables, means, domain, targets):
    shown = cells(tables["measured-1"], f"{domain}, image", f"mean of {len(targets)} common")
    ranks = cells(tables["measured-1"], f"{domain}, image", f"average rank over {len(targets)}")
    expected = ranks_of(means.loc[list(targets)]).mean(axis=0)
    for number, method in enumerate(METHODS):
        assert shown[method].text == printed(means.loc[list(targets), method].mean())
        assert ranks[method].value == pytest.approx(expected[number])


def test_5_mean_ranks_over_all_data_sets(tables, means):
    expected = dict(zip(METHODS, ranks_of(means).mean(axis=0), strict=True))
    table = tables[f"ranks-1-{METRIC}"]
    assert {row.label: row.cells[0][0].value for row in table.rows} == pytest.approx(expected)
    assert "over 8 data sets (6 industrial, 2 medical)" in table.caption


def test_6_friedmans_p_and_7_the_critical_difference(tables, means):
    note = next(note for note in tables[f"ranks-1-{METRIC}"].notes if "Friedman p" in note)
    p, distance = re.search(r"Friedman p (.*); critical difference (.*) ranks", note).groups()
    expected = friedmanchisquare(*ranks_of(means).T).pvalue
    assert p == ("< 0.001" if expected < 0.0005 else f"= {expected:.3f}")
    methods, sets = len(METHODS), len(means)
    nemenyi = studentized_range.ppf(0.95, methods, np.inf) / math.sqrt(2)
    assert float(distance) == pytest.approx(nemenyi * math.sqrt(methods * (methods + 1) / (6 * sets)), abs=0.005)


def shown_p(p):
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def test_8_wilcoxons_p_9_holm_over_all_pairs_and_10_the_rank_intervals(tables, means):
    pairs = list(itertools.combinations(METHODS, 2))
    raw = [wilcoxon(means[left] - means[right]).pvalue for left, right in pairs]
    corrected, table = holm(raw), tables[f"significance-1-{METRIC}"]
    first, last = dict.fromkeys(METHODS, 1), dict.fromkeys(METHODS, len(METHODS))
    for number, (left, right) in enumerate(pairs):
        sets, difference, _, before, after = lines(table)[f"{left} against {right}"]
        gap = (means[left] - means[right]).mean()
        assert (sets, before, after) == ("8", shown_p(raw[number]), shown_p(corrected[number]))
        assert float(difference) == pytest.approx(100 * gap, abs=0.051)
        if corrected[number] < 0.05:
            better, worse = (left, right) if gap > 0 else (right, left)
            first[worse] += 1
            last[better] -= 1
    assert any(first[name] > 1 for name in METHODS), "the example tells methods apart"
    listed = ", ".join(f"{name} {first[name]}-{last[name]}" for name in METHODS)
    assert table.notes[-1] == f"Rank intervals over 8 data sets (6 industrial, 2 medical): {listed}."
    smallest = 2 / 2**8
    limit = f"{shown_p(smallest)}; after Holm's correction over 6 comparisons (all pairs): {shown_p(6 * smallest)}."
    assert f"Smallest p that 8 data sets allow: {limit}" in table.notes


def test_11_holm_against_one_reference(tables, means):
    reference, table = means.mean().idxmax(), tables[f"reference-1-{METRIC}"]
    others = [name for name in METHODS if name != reference]
    corrected = holm([wilcoxon(means[reference] - means[name]).pvalue for name in others])
    assert {label: cells[4] for label, cells in lines(table).items()} == {
        f"{reference} against {name}": shown_p(corrected[number]) for number, name in enumerate(others)
    }


def test_the_interval_holds_that_of_data_sets_alone(tables, means):
    """Classes and seeds are drawn as well as data sets, so the interval is SciPy's over data sets, a little wider."""
    for left, right in itertools.combinations(METHODS, 2):
        gaps = 100 * (means[left] - means[right]).to_numpy()
        alone = bootstrap((gaps,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1))
        low, high = map(float, lines(tables[f"significance-1-{METRIC}"])[f"{left} against {right}"][2].split(" to "))
        own, wide = alone.confidence_interval, high - low
        assert low < gaps.mean() < high
        assert 0.95 <= wide / (own.high - own.low) <= 3


def test_the_interval_is_that_of_a_bootstrap_written_out(tables, measured):
    """Data sets, classes and one seed per draw and data set, drawn one after another in plain loops."""
    left, right = "fbclip", "afclip"
    classes = measured[measured["class"] != "mean"].pivot_table(
        index=["target", "class"], columns=["entry", "seed"], values="value"
    )
    of_set = {target: (part[left].to_numpy(), part[right].to_numpy()) for target, part in classes.groupby("target")}
    rng, targets = np.random.default_rng(3), list(of_set)
    draws = []
    for _ in range(6000):
        gaps = []
        for target in rng.choice(targets, len(targets)):
            ours, theirs = of_set[target]
            drawn = rng.integers(len(ours), size=len(ours))
            gaps.append(ours[drawn, rng.integers(2)].mean() - theirs[drawn, rng.integers(2)].mean())
        draws.append(100 * np.mean(gaps))
    low, high = map(float, lines(tables[f"significance-1-{METRIC}"])[f"{left} against {right}"][2].split(" to "))
    assert (low, high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.16)


def test_12_gaps_to_published_numbers_and_their_verdicts(tables, rows, measured):
    published = rows[(rows["source"] == "fbclip") & (rows["table"] == "1") & (rows["method"] == "fbclip")]
    published = published[(published["metric"] == METRIC) & (published["variant"] == "")].set_index("target")["value"]
    seeds = measured[(measured["class"] != "mean") & (measured["entry"] == "fbclip")]
    by_seed = seeds.groupby(["target", "seed"])["value"].mean().unstack()
    table = next(table for key, table in tables.items() if key.startswith("gaps-") and "fbclip:" in table.caption[:8])
    column, found = table.columns.index("I-AUROC"), 0
    titles = {"visa": "VisA", "mvtec": "MVTec AD", "btad": "BTAD", "headct": "HeadCT", "brainmri": "BrainMRI"}
    for target, title in titles.items():
        (row,) = [row for row in table.rows if row.label == title and row.block == "printed in FB-CLIP Table 1"]
        value, spread = by_seed.loc[target].mean(), by_seed.loc[target].std(ddof=1)
        gap, theirs = 100 * (value - float(published[target])), printed(float(published[target]))
        verdict = "agrees" if abs(gap) <= max(0.3, 2 * 100 * spread) else "drifts"
        start = f"{theirs} → {printed(value)} ± {printed(spread)} ("
        assert row.cells[column].startswith(start)
        assert row.cells[column].endswith(f") {verdict}")
        assert float(row.cells[column].removeprefix(start).partition(")")[0]) == pytest.approx(gap, abs=0.051)
        assert row.cells[column].verdict == verdict
        found += 1
    assert found == 5


def test_the_page_and_the_tables_say_the_same(board, tables, tmp_path):
    text = write_html(board, tmp_path, None)[0].read_text()
    for label, shown in lines(tables[f"significance-1-{METRIC}"]).items():
        assert label in text
        assert shown[2] in text
    assert json.dumps("fbclip")[1:-1] in text
