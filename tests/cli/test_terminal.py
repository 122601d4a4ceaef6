"""Tables on the terminal: within its width, with fewer columns first, then rows as columns; seeds as one row."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zsadbench.cli.shared.fitting import Columns, fit
from zsadbench.cli.shared.output import table
from zsadbench.cli.tables.results import table_rows
from zsadbench.display.colour_range import LEAST_SHARE, ColourRange, contrast_range
from zsadbench.predict.drawing.map_picture import map_picture
from zsadbench.printing import duration_text
from zsadbench.records import record_path, write_record


def lines_of(capsys, header, rows, columns, monkeypatch, **more):
    monkeypatch.setenv("COLUMNS", str(columns))
    capsys.readouterr()
    table("title", header, rows, **more)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= columns for line in lines if not line.startswith("left out")), "it fits"
    assert all(line == line.rstrip() for line in lines)
    return lines


NUMBERS = [f"number {n}" for n in range(12)]
ROWS = [(f"row {r}", *(f"{10 * r + n}.123456" for n in range(12))) for r in range(3)]


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_a_wide_table_of_numbers_has_its_rows_as_columns(capsys, monkeypatch, columns):
    lines = lines_of(capsys, ["name", *NUMBERS], ROWS, columns, monkeypatch)
    words = " ".join(lines).split()
    for row in ROWS:
        assert all(number in words for number in row[1:]), "no number is broken or left out"


def test_columns_are_left_out_first_and_named(capsys, monkeypatch):
    lines = lines_of(capsys, ["name", *NUMBERS], ROWS, 80, monkeypatch, optional=NUMBERS[4:])
    said = lines[-2]
    assert said.startswith("left out, as they do not fit 80 columns: number ")
    text = " ".join(lines[:-2])
    assert "0.123456" in text
    assert " 11 " not in text
    assert said.endswith("number 11")
    gone = said.partition(": ")[2].split(", ")
    assert not {f"number {n}" for n in range(4)} & set(gone)
    wide = lines_of(capsys, ["name", *NUMBERS], ROWS, 300, monkeypatch, optional=NUMBERS[4:])
    assert not any("left out" in line for line in wide)


def test_text_breaks_between_words(capsys, monkeypatch):
    sentence = "a sentence of many words that is longer than the terminal is wide, by far"
    lines = lines_of(capsys, ["name", "number", "text"], [("a", "1.5", sentence)], 50, monkeypatch)
    assert " ".join(" ".join(lines).split()).endswith("by far")
    assert sentence.split(maxsplit=1)[0] in lines[4]


def test_a_row_that_is_too_wide_alone_still_prints():
    (part,), left_out = fit(Columns(["name", "n"], [["x" * 90, "1"]]), 40)
    assert part.rows
    assert not left_out


def test_seeds_are_one_row_with_mean_and_deviation(make_record):
    seeds = [make_record("fbclip", "visa", {"candle": 0.8 + 0.02 * n, "fryum": 0.6}, seed=n) for n in range(3)]
    rows = table_rows(seeds, ["image_auroc"])
    assert rows == [
        ("fbclip, 3 seeds", "candle", "82.0 ± 2.0"),
        ("fbclip, 3 seeds", "fryum", "60.0 ± 0.0"),
        ("fbclip, 3 seeds", "mean of 2/2", "71.0 ± 1.0"),
    ]
    undefined = make_record("fbclip", "visa", {"candle": None, "fryum": 0.6}, seed=3)
    assert table_rows([*seeds, undefined], ["image_auroc"])[0][2] == "-"


def test_methods_list_and_compare_fit_a_pipe_of_80_columns(cli, make_record, tmp_path):
    listed = cli("methods", "list").out.splitlines()
    assert max(map(len, listed)) <= 80
    for method, value in (("fbclip", 0.9), ("afclip", 0.8)):
        for target in ("visa", "mvtec"):
            record = make_record(method, target, {"candle": value, "fryum": value - 0.1})
            write_record(record_path(tmp_path / "results", record.cell), record, pd.DataFrame({"path": ["x"]}))
    printed = cli("compare", "fbclip", "afclip").out.splitlines()
    assert max(len(line) for line in printed if line.startswith(" ")) <= 80


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (30700, "3.5 years"),
        (8766, "1 year"),
        (1500, "2.1 months"),
        (48, "2 days"),
        (24, "1 day"),
        (9, "9 h"),
        (0.5, "30 min"),
    ],
)
def test_hours_are_said_as_people_say_them(hours, said):
    assert duration_text(3600 * hours) == said


def test_the_scale_shows_the_contrast_of_maps_and_no_noise():
    faint = np.full((20, 20), 0.412, np.float32)
    spot = faint.copy()
    spot[3:6, 3:6] = 0.538
    scale = contrast_range([faint, spot], (0.0, 1.0))
    assert scale == pytest.approx((0.412, 0.538))
    assert scale.ends == ("0.412", "0.538")
    flat = contrast_range([faint], (0.0, 1.0))
    assert flat.high - flat.low == pytest.approx(LEAST_SHARE)
    assert contrast_range([faint], (-38.0, 42.0)).high == pytest.approx(0.412 + 0.8, abs=1e-6)


@pytest.mark.parametrize("size", [(60, 40), (400, 300)])
def test_the_picture_has_overlay_map_and_bar_side_by_side(size):
    scores = np.zeros((8, 8), np.float32)
    scores[:, 4:] = 1.0
    picture = map_picture(Image.new("RGB", size, (128, 128, 128)), scores, ColourRange(0.0, 1.0))
    assert picture.width > 2 * picture.height * size[0] / size[1] * 0.9
    pixels = np.asarray(picture).astype(int)
    middle = pixels[picture.height // 2]
    red = (middle[:, 0] > 180) & (middle[:, 1] < 60)
    blue = (middle[:, 2] > 90) & (middle[:, 0] < 40)
    assert red.sum() > max(size) / 4, "the right half of the map"
    assert blue.sum() > max(size) / 4, "its left half"


def test_predict_states_its_scale_and_uses_one_for_all(cli, quick, tmp_path):
    for index in range(3):
        noise = np.random.default_rng(index).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{index}.png")
    images = [tmp_path / f"{index}.png" for index in range(3)]
    told = cli("predict", *quick, *images, "--out", tmp_path / "out")
    assert "colours: dark blue " in told.out
    assert "the same for all images of this call" in told.out
    events = [json.loads(line) for line in cli("predict", *quick, *images, "--json").out.splitlines()]
    (scale,) = {tuple(event["scale"]) for event in events}
    assert scale[1] >= max(event["highest"] for event in events)
