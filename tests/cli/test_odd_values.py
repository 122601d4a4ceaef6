"""Odd values in the environment, in zsadbench.toml and in metadata are one line; a class named 'mean' is kept."""

import json

import pytest
import torch

from zsadbench.checkpoints import read_metadata, write_checkpoint
from zsadbench.errors import WeightsError
from zsadbench.records import Record, read_record, tidy

VALUES = {
    "superscript": ("ZSADBENCH_BATCH_SIZE", "²"),
    "long number": ("ZSADBENCH_BATCH_SIZE", "9" * 6000),
    "negative": ("ZSADBENCH_BATCH_SIZE", "-3"),
    "no size": ("ZSADBENCH_TOKEN_CACHE", "²GiB"),
    "huge size": ("ZSADBENCH_TOKEN_CACHE", "9" * 400 + "GiB"),
    "huge cache": ("ZSADBENCH_IMAGE_CACHE", "9" * 400),
    "no seed": ("ZSADBENCH_SEED", "²"),
    "huge seed": ("ZSADBENCH_SEED", "9" * 40),
    "no workers": ("ZSADBENCH_WORKERS", "²"),
    "no precision": ("ZSADBENCH_PRECISION", "fp³²"),
    "no limit": ("ZSADBENCH_LIMIT", "1e3"),
    "no switch": ("ZSADBENCH_OFFLINE", "perhaps"),
    "device": ("ZSADBENCH_DEVICE", "cuda:²"),
    "lone surrogate": ("ZSADBENCH_DEVICE", "\udcff"),
    "long protocol": ("ZSADBENCH_PROTOCOL", "x" * 5000),
}


@pytest.mark.parametrize(("variable", "value"), VALUES.values(), ids=VALUES)
def test_an_odd_variable_is_one_line(cli, quick, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    told = cli("run", *quick, "-t", "colondb", "--dry-run")
    assert told.code == 2, told.err
    assert len([line for line in told.err.splitlines() if line.startswith("error: ")]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "{x=" * 2000,
        "[a" + ".a" * 3000 + "]\nx = 1",
        "limit = " + "9" * 6000,
        "a = '\x00'",
    ],
    ids=["lists", "tables", "dotted", "long number", "NUL"],
)
def test_an_odd_settings_file_is_one_line(cli, quick, tmp_path, text):
    (tmp_path / "zsadbench.toml").write_text(text)
    told = cli("run", *quick, "-t", "colondb", "--dry-run")
    assert told.code == 2, told.err
    assert len(told.err.splitlines()) == 1
    assert "zsadbench.toml" in told.error


def test_a_settings_file_that_is_no_text_is_one_line(cli, quick, tmp_path):
    (tmp_path / "zsadbench.toml").write_bytes(b"\xff\xfe\x00")
    assert cli("run", *quick, "-t", "colondb", "--dry-run").error.startswith("error: zsadbench.toml is no valid TOML")


@pytest.mark.parametrize("about", [{"options": [1]}, {"aux": "mvtec"}, {"recipe": 3}, {"options": "views=id"}])
def test_metadata_of_other_types_are_damaged(cli, quick, tmp_path, about):
    path = tmp_path / "edited.safetensors"
    write_checkpoint(path, {"w": torch.ones(1)}, "fbclip", about)
    with pytest.raises(WeightsError, match=r"the metadata of this checkpoint are damaged: '.*' is no table"):
        read_metadata(path)
    flags = [flag for flag in quick if flag not in {"--aux", "none"}]
    told = cli("run", *flags, "-t", "colondb", "--checkpoint", path)
    assert (told.code, len(told.err.splitlines())) == (4, 1)


@pytest.mark.parametrize(
    "options", [{"views": {"a": 1}}, {"layers": "x"}, {"layers": [[1]]}, {"nosuch": 1}, {"views": None}, {"preset": 3}]
)
def test_options_of_other_types_in_metadata_are_one_line(cli, quick, tmp_path, options):
    path = tmp_path / "edited.safetensors"
    write_checkpoint(path, {"w": torch.ones(1)}, "fbclip", {"options": options})
    flags = [flag for flag in quick if flag not in {"--aux", "none"}]
    told = cli("run", *flags, "-t", "colondb", "--checkpoint", path)
    assert told.code in {2, 4}, told.err
    assert len(told.err.splitlines()) == 1


# --- a class named 'mean' --------------------------------------------------------------------------


def test_a_class_named_mean_keeps_its_numbers(cli, quick, tmp_path):
    from PIL import Image

    for number in range(8):
        name = "mean" if number < 4 else "other"
        label = "good" if number % 2 else "bad"
        path = tmp_path / "set" / name / "test" / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (30 * number, 5, 9)).save(path)
    told = cli("run", *quick, "-t", f"folder:{tmp_path / 'set'}", "--json", "-q")
    assert told.code == 0, told.err
    event = json.loads(told.out.splitlines()[0])
    record = read_record(tmp_path / event["path"])
    assert read_record(tmp_path / event["path"]).as_json() == json.loads((tmp_path / event["path"]).read_text())
    frame = tidy([(tmp_path / event["path"], record)])
    auroc = frame[frame["metric"] == "image_auroc"].set_index("class")["value"]
    values = {name: record.classes[name]["image_auroc"] for name in ("mean", "other")}
    assert auroc["mean (class)"] == values["mean"]
    assert auroc["other"] == values["other"]
    assert auroc["mean"] == pytest.approx(sum(values.values()) / 2)
    assert record.undefined["mean"]["pixel_auroc"] == record.undefined["other"]["pixel_auroc"]
    assert cli("report", "--format", "csv,markdown").code == 0
    assert "mean (class)" in (tmp_path / "report" / "results.csv").read_text()


def test_reasons_of_a_class_named_mean_are_not_those_of_the_mean():
    record = Record(
        {}, ["mean", "b"], {"mean": {"x": None}, "b": {"x": 0.5}}, undefined={"mean": {"x": "of the class"}}
    )
    rows = {name: (values["x"], reasons.get("x")) for name, values, reasons in record.rows()}
    assert rows == {"mean (class)": (None, "of the class"), "b": (0.5, None), "mean": (0.5, None)}
