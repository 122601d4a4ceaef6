"""Claims of papers, recomputed; the medical columns of FB-CLIP's Table 1 are repeated here as a reference."""

from dataclasses import replace

import pytest

from zsadbench.compare.claims import check_claims, claims_of, papers_with_claims, read_claims
from zsadbench.errors import DataError

METHODS = ["WinCLIP", "VAND/APRIL-GAN", "AnomalyCLIP", "AdaCLIP", "AA-CLIP", "AF-CLIP", "FAPrompt", "FB-CLIP"]
MEDICAL = """
headct   image_auroc   81.8  89.1  93.4  91.4     -  91.2  94.0  93.4
headct   image_ap      80.2  89.4  91.6     -     -  91.1  92.4  93.9
brainmri image_auroc   86.6  89.3  90.3  80.6  91.8  95.2  95.8  95.1
brainmri image_ap      91.5  90.9  92.3  84.4  94.1  96.3  96.2  96.6
br35h    image_auroc   80.5  93.1  94.6  86.5  89.4  96.7  97.6  97.1
br35h    image_ap      82.2  92.9  94.7  86.3  91.0  96.4  97.1  97.4
isic     pixel_auroc   83.3  89.4  89.7  89.3  93.9  94.8  91.1  93.9
isic     pixel_aupro   55.1  77.2  78.4     -  87.0  89.6  81.6  87.7
clinicdb pixel_auroc   51.2  80.5  82.9  81.6  86.3  87.1  84.7  87.2
clinicdb pixel_aupro   13.8  60.7  67.8  54.0  67.1  70.0  70.1  73.5
colondb  pixel_auroc   70.3  78.4  81.9  79.3  81.6  83.2  85.0  84.2
colondb  pixel_aupro   32.5  64.6  71.3  49.1  65.4  67.9  73.3  74.4
kvasir   pixel_auroc   69.7  75.0  78.9  77.5  84.0  84.5  82.1  85.0
kvasir   pixel_aupro   24.5  36.2  45.6  41.3  50.3  57.5  49.9  47.8
endo     pixel_auroc   68.2  81.9  84.1     -     -  88.3  86.8  87.6
endo     pixel_aupro   28.3  54.9  63.6     -     -  70.3  67.6  70.4
tn3k     pixel_auroc   70.7  73.6  81.5  77.2     -  80.5  84.7  79.0
tn3k     pixel_aupro   39.8  37.8  50.4     -     -  45.8  54.6  46.8
"""


@pytest.fixture(scope="module")
def board(make_board):
    return make_board([])


def golden():
    """(target, metric) → method → percent, as this file has it."""
    found = {}
    for line in MEDICAL.split("\n"):
        if line:
            target, metric, *values = line.split()
            pairs = zip(METHODS, values, strict=True)
            found[target, metric] = {name: float(value) for name, value in pairs if value != "-"}
    return found


def top_two(columns, method):
    """The number of columns in which at most one number is larger than the method's."""
    return sum(
        method in column and len({value for value in column.values() if value > column[method]}) < 2
        for column in columns.values()
    )


def changed(board, value, **where):
    """The board with another printed number, in percent."""
    frame = board.frame.copy()
    chosen = frame["source"] == where.pop("source")
    for column, wanted in where.items():
        chosen &= frame[column.rstrip("_")] == wanted
    assert chosen.sum() == 1
    frame.loc[chosen, "value"] = value / 100
    return replace(board, frame=frame)


def outcome(board, paper, start):
    (found,) = [one for one in check_claims(paper, board) if one.says.startswith(start)]
    return found


def test_the_shipped_medical_columns_are_the_golden_ones(board):
    frame = board.published
    frame = frame[(frame["source"] == "fbclip") & (frame["table"] == "1")]
    frame = frame[frame["target"].map(lambda name: board.dataset(name).domain) == "medical"]
    found = {}
    for _, row in frame.iterrows():
        metric = "pixel_aupro" if row["metric"].startswith("pixel_aupro") else row["metric"]
        found.setdefault((row["target"], metric), {})[row["entry"]] = pytest.approx(100 * row["value"])
    assert golden() == found
    assert len(found) == 18


@pytest.mark.parametrize(("method", "count"), [("FB-CLIP", 14), ("FAPrompt", 10)])
def test_the_top_two_of_the_medical_columns(board, method, count):
    assert top_two(golden(), method) == count
    claim = outcome(board, "fbclip", f"{method} is among the top two")
    assert (claim.said, claim.found, claim.holds) == (f"{count} of 18", f"{count} of 18", True)


def test_one_changed_number_flips_the_claim(board):
    place = {"source": "fbclip", "table": "1", "entry": "FB-CLIP", "target": "brainmri", "metric": "image_auroc"}
    better = outcome(changed(board, 95.3, **place), "fbclip", "FB-CLIP is among")
    assert (better.found, better.holds) == ("15 of 18", False)
    tied = outcome(changed(board, 95.2, **place), "fbclip", "FB-CLIP is among")
    assert tied.found == "15 of 18"  # printed alike, so both are second
    same = outcome(changed(board, 95.0, **place), "fbclip", "FB-CLIP is among")
    assert same.holds
    place |= {"target": "headct", "metric": "image_ap"}
    worse = outcome(changed(board, 90.0, **place), "fbclip", "FB-CLIP is among")
    assert (worse.found, worse.holds) == ("13 of 18", False)
    assert "headct image_ap" in worse.detail


FAILING = {
    "fbclip": {},
    "afclip": {
        "the method is tested on 10 data sets": ("10", "11"),
        "V4 is the full model: its row repeats Table 1": ("8 of 8", "7 of 8"),
    },
    "mfpclip": {"on VisA the image AUROC is 1.0 above the second best": ("1", "2.1")},
}


def test_every_paper_has_claims():
    assert papers_with_claims() == list(FAILING)


@pytest.mark.parametrize("paper", FAILING)
def test_the_claims_that_do_not_hold_are_these(board, paper):
    failing = {one.says: (one.said, one.found) for one in check_claims(paper, board) if not one.holds}
    assert failing == FAILING[paper]
    assert len(check_claims(paper, board)) == len(claims_of(paper))


def test_a_repeated_row_that_differs_is_named(board):
    assert outcome(board, "afclip", "V4").detail == "visa image_ap: 89.9, there 90.0"
    place = {"source": "fbclip", "table": "5", "entry": "background L/2 tokens", "target": "mvtec"}
    other = outcome(changed(board, 92.5, **place, metric="image_auroc"), "fbclip", "half of the tokens")
    assert (other.found, other.holds) == ("7 of 8", False)


def test_a_mean_may_be_off_by_the_rounding_of_its_classes_and_no_more(board):
    place = {"source": "fbclip", "table": "6", "class_": "mean", "metric": "image_auroc"}
    assert outcome(board, "fbclip", "the mean of DAGM").holds  # printed 99.0, the classes have 98.94
    wrong = outcome(changed(board, 99.1, **place), "fbclip", "the mean of DAGM")
    assert (wrong.found, wrong.holds) == ("3 of 4", False)
    assert wrong.detail == "dagm image_auroc: printed 99.1, the classes have 98.94"


def test_a_lead_is_that_over_the_best_of_the_others(board):
    place = {"source": "mfpclip", "table": "1", "entry": "AnomalyCLIP", "target": "mvtec", "metric": "pixel_auroc"}
    assert outcome(board, "mfpclip", "on MVTec AD the pixel AUROC").holds
    closer = outcome(changed(board, 91.6, **place), "mfpclip", "on MVTec AD the pixel AUROC")
    assert (closer.found, closer.holds) == ("0.5", False)


def claim(**changes):
    fields = {"says": "x", "where": "y", "table": "1", "rule": "sets", "said": 10} | changes
    return "[[claims]]\n" + "\n".join(f"{key} = {value!r}" for key, value in fields.items())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims = [", "claims.toml: not TOML"),
        (claim(rule="topp"), r"claims\[0\]: field 'rule' must be one of 'top', 'lead', 'mean', 'same', 'sets'"),
        (claim(sayed=3), r"claims\[0\]: field 'sayed' is unknown; known: "),
        (claim(said="ten"), r"field 'said' must be a number, not 'ten'"),
        (claim() + "\n[more]\n", "field 'more' is unknown"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text, message):
    with pytest.raises(DataError, match=message) as told:
        read_claims(text, "claims.toml")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "changes",
    [{"table": "99"}, {"rule": "top", "entry": "FB-CLIPP"}, {"rule": "lead", "entry": "FB-CLIP", "over": "WinCLIP"}],
)
def test_a_claim_about_what_was_not_printed_is_refused(board, monkeypatch, changes):
    monkeypatch.setattr("zsadbench.compare.claims.claims_of", lambda paper: read_claims(claim(**changes), "c.toml"))
    with pytest.raises(DataError, match="a claim of fbclip, 'x', "):
        check_claims("fbclip", board)
