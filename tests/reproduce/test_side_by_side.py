"""Printed numbers with ours: the verdict, and its reason."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from zsadbench.compare.paper_rows import find_table
from zsadbench.errors import UsageError
from zsadbench.reproduce.layout import Layout, RowRun, target_pairs
from zsadbench.reproduce.side_by_side import compare_numbers

PAPER = {"protocol": {"name": "paper:fbclip", "digest": "d" * 12}}
VISA = {"image_auroc": 0.895, "image_ap": 0.907, "pixel_auroc": 0.963, "pixel_aupro_200": 0.914}


def cells(name, target, records, *, label=None, **changes):
    """The numbers of one row on one target, whose jobs wrote these records."""
    table = find_table(name)
    (row,) = [row for row in table.rows if label is None or row.label == label]
    named = [(Path(f"{number}.json"), record) for number, record in enumerate(records)]
    jobs = tuple(SimpleNamespace(path=path) for path, _ in named)
    run = RowRun(row, target, changes.pop("used", target), jobs, **changes)
    return compare_numbers(Layout(table, (run,), None), named)


def verdicts(found):
    return {cell.metric: (cell.verdict, cell.because) for cell in found if cell.class_name == "mean"}


def full(make_record, values, **changes):
    return make_record("fbclip", "visa", {"candle": values}, **PAPER, **changes)


def test_a_printed_number_that_is_met_agrees_and_another_drifts(make_record):
    found = cells("fbclip:table1", "visa", [full(make_record, VISA | {"image_ap": 0.92})], label="FB-CLIP")
    assert verdicts(found) == {
        "image_auroc": ("agrees", ""),
        "image_ap": ("drifts", ""),
        "pixel_auroc": ("agrees", ""),
        "pixel_aupro_200": ("agrees", ""),
    }
    (drifting,) = [cell for cell in found if cell.verdict == "drifts"]
    assert drifting.difference == pytest.approx(1.3)
    assert (drifting.published, drifting.measured) == pytest.approx((0.907, 0.92))


def test_seeds_are_one_number_with_a_spread(make_record):
    seeds = [full(make_record, {**VISA, "image_auroc": value}, seed=seed) for seed, value in enumerate((0.89, 0.91))]
    (cell,) = [one for one in cells("fbclip:table1", "visa", seeds, label="FB-CLIP") if one.metric == "image_auroc"]
    assert (cell.measured, cell.verdict) == (pytest.approx(0.9), "agrees")
    assert cell.spread == pytest.approx(0.0141421, rel=1e-4)


def test_options_of_a_row_are_the_rows_own(make_record):
    record = full(make_record, VISA, options={"bs_fraction": 1.0})
    found = cells("fbclip:table5", "visa", [record], label="background L tokens")
    assert verdicts(found)["image_auroc"] == ("agrees", "")  # 89.3 printed, 89.5 measured


def test_what_is_substituted_is_never_judged(make_record):
    record = make_record("fbclip", "demo", {"part": VISA}, **PAPER)
    substituted = {
        "used": "demo",
        "changed": ("data set demo in place of visa", "backbone demo in place of ViT-L-14-336"),
    }
    found = cells("fbclip:table1", "visa", [record], label="FB-CLIP", **substituted)
    because = "data set demo in place of visa; backbone demo in place of ViT-L-14-336"
    assert set(verdicts(found).values()) == {("not comparable", because)}
    assert all(cell.measured is not None for cell in found)


def test_a_class_of_another_set_has_no_number(make_record):
    record = make_record("fbclip", "demo", {"part": VISA}, **PAPER)
    found = cells("fbclip:table11", "visa", [record], used="demo", changed=("data set demo in place of visa",))
    (candle,) = [cell for cell in found if cell.class_name == "candle" and cell.metric == "image_auroc"]
    assert (candle.measured, candle.verdict) == (None, "not comparable")
    assert candle.because == "demo has no such class"


def test_classes_are_judged_one_by_one(make_record):
    printed = {
        cell.class_name: cell.published for cell in cells("fbclip:table11", "visa", []) if cell.metric == "image_auroc"
    }
    values = {name: value for name, value in printed.items() if name != "mean"}
    record = make_record("fbclip", "visa", values | {"candle": values["candle"] - 0.05}, **PAPER)
    found = [cell for cell in cells("fbclip:table11", "visa", [record]) if cell.metric == "image_auroc"]
    assert {cell.class_name for cell in found if cell.verdict == "drifts"} == {"candle", "mean"}
    assert len(found) == 13


def test_a_row_that_the_paper_leaves_open_is_shown_and_not_judged(make_record):
    found = cells("fbclip:table3", "visa", [full(make_record, VISA)], label="text EOT")
    assert {verdict for verdict, _ in verdicts(found).values()} == {"not comparable"}
    assert all(because.startswith("the paper does not say what Base is") for _, because in verdicts(found).values())
    assert all(cell.difference is not None for cell in found)


def test_a_printed_number_of_unknown_making_is_not_judged(make_record):
    protocol = {"protocol": {"name": "paper:anomalyclip", "digest": "d" * 12}}
    record = make_record("anomalyclip", "visa", {"candle": VISA}, **protocol)
    found = cells("fbclip:table1", "visa", [record], label="AnomalyCLIP")
    assert verdicts(found)["image_auroc"] == ("not comparable", "protocol of the published number is unknown")
    aupro = [cell for cell in found if cell.metric == "pixel_aupro_200"]  # its own variant stands beside
    assert [cell.measured for cell in aupro] == [pytest.approx(0.914)]


def test_rows_that_did_not_run_say_why(make_record):
    found = cells("fbclip:table1", "visa", [], label="WinCLIP", left_out="not built yet")
    assert set(verdicts(found).values()) == {("not run", "not built yet")}
    assert all(cell.measured is None and cell.difference is None for cell in found)
    assert set(verdicts(cells("fbclip:table1", "visa", [], label="FB-CLIP")).values()) == {
        ("not run", "its run failed")
    }


def test_an_undefined_number_is_not_judged(make_record):
    found = cells("fbclip:table1", "visa", [full(make_record, VISA | {"image_ap": None})], label="FB-CLIP")
    assert verdicts(found)["image_ap"][0] == "not comparable"
    assert "not measured" in verdicts(found)["image_ap"][1]


def costs(record, label, **changes):
    name = "afclip:table5" if "Adaptor" in label else "fbclip:table13"
    found = cells(name, "mvtec", [record], label=label, **changes)
    return {cell.metric: cell for cell in found if not cell.class_name}


def test_costs_stand_beside_and_only_parameters_are_judged(make_record):
    record = make_record("afclip", "mvtec", {"bottle": VISA})
    seconds = {"load": 9.0, "tower": 2.0, "head": 1.0, "map": 0.5, "metrics": 9.0}
    record.cost = {"seconds": seconds, "images": {"bottle": 10}, "peak_device_mib": 2000.0}
    record.cost |= {"parameters_trained": 2_109_440}
    record.provenance = {"device": "cpu"}
    found = costs(record, "with visual tuning = Adaptor")
    assert found["learnable_params"].verdict == "agrees"
    assert found["inference_time_s"].measured == pytest.approx(0.35)
    assert found["inference_time_s"].because == "measured on cpu; printed: training memory at batch size 1"
    assert found["gflops"].measured is None
    assert found["gflops"].verdict == "not comparable"
    record.cost["parameters_trained"] += 1
    assert costs(record, "with visual tuning = Adaptor")["learnable_params"].verdict == "drifts"
    changed = costs(record, "with visual tuning = Adaptor", changed=("backbone demo in place of ViT-L-14-336",))
    assert changed["learnable_params"].because == "backbone demo in place of ViT-L-14-336"
    other = costs(record, "AF-CLIP")
    assert other["inference_time_ms"].measured == pytest.approx(350)
    assert other["inference_memory_GB"].measured == pytest.approx(2.097152)
    assert {cell.verdict for cell in other.values()} == {"not comparable"}


def test_targets_narrow_a_table_down_or_one_stands_for_all():
    table = find_table("fbclip:table3")
    assert target_pairs(table, ["visa"]) == [("visa", "visa")]
    assert target_pairs(table, ["VisA", "mvtec_ad"]) == [("mvtec", "mvtec"), ("visa", "visa")]
    assert target_pairs(table, ["demo"]) == [("mvtec", "demo"), ("visa", "demo")]
    for wrong in (["visa", "demo"], ["demo", "btad"]):
        with pytest.raises(UsageError, match="--target: fbclip:table3 ran on mvtec, visa; name some of these, or one"):
            target_pairs(table, wrong)
