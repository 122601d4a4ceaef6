"""`zsadbench score`: maps of another program, named like the images."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zsadbench
from zsadbench import metrics
from zsadbench.data import resize_mask_nearest
from zsadbench.metrics import ClassMetrics
from zsadbench.records import validate
from zsadbench.records.sidecars import read_details

SIDE = 16
KINDS = {"good": 0, "bad": 1}
IMAGES = {name: [f"{name}/test/{kind}/{n}.png" for kind in sorted(KINDS) for n in range(3)] for name in ("bolt", "nut")}
SIZE = ("--image-size", SIDE)


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    """A folder of two classes with masks, six images of 16 × 16 each: the target `folder:PATH`."""
    root, draw = tmp_path_factory.mktemp("data") / "parts", np.random.default_rng(3)
    for relative in (one for images in IMAGES.values() for one in images):
        write_picture(root / relative, draw.integers(0, 255, (SIDE, SIDE, 3), np.uint8))
        if "/bad/" in relative:
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[tuple(slice(start, start + 4) for start in draw.integers(0, 12, 2))] = 255
            write_picture(root / mask_name(relative), mask)
    return root


def mask_name(relative):
    return relative.replace("/test/", "/ground_truth/")


def write_picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def target(own):
    return ("-t", f"folder:{own}", *SIZE)


def values(side=SIDE):
    """A map an image, of 16-bit levels, which every format can hold."""
    draw = np.random.default_rng(7)
    every = [one for images in IMAGES.values() for one in images]
    return {relative: draw.integers(0, 2**16, (side, side)).astype(np.float32) for relative in every}


def save_npy(path, made):
    np.save(f"{path}.npy", made)


def save_npz(path, made):
    np.savez_compressed(f"{path}.npz", anomaly_map=made[None])


def save_tiff(path, made):
    Image.fromarray(made).save(f"{path}.tiff")


def save_lzw(path, made):
    Image.fromarray(made).save(f"{path}.tif", compression="tiff_lzw")


def save_png(path, made):
    Image.fromarray(made.astype(np.uint16)).save(f"{path}.png")


def save_stem(path, made):
    np.save(path.with_suffix(".npy"), made.astype(np.int32))


def save_swapped(path, made):
    np.save(f"{path}.npy", np.asfortranarray(made.astype(">f8")))


@pytest.fixture
def maps(tmp_path):
    """`maps(made, save)` writes maps into the folder that it returns."""

    def write(made=None, save=save_npy):
        for relative, one in (made or values()).items():
            path = tmp_path / "maps" / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            save(path, one)
        return tmp_path / "maps"

    return write


def measured(own, name, made, scores=None):
    """The metrics of a class from its pictures, straight through the accumulator."""
    collected = ClassMetrics()
    for relative in IMAGES[name]:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if "/bad/" in relative:
            mask = np.asarray(Image.open(own / mask_name(relative)))
        score = made[relative].max() if scores is None else scores[relative]
        collected.update([score], [int("/bad/" in relative)], [made[relative]], [mask])
    return {key: one.value for key, one in collected.compute().items()}


def path_of(told):
    """The path of the record that `--json` names."""
    return json.loads(told.out.splitlines()[0])["path"]


def record_of(told, tmp_path):
    """The record that `--json` names, checked against the schema."""
    event = json.loads(told.out.splitlines()[0])
    record = json.loads((tmp_path / path_of(told)).read_text())
    validate(record)
    assert event["classes"] == record["classes"]
    return record


@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ("visa", ("--class", "candle,pcb1")),
        ("visa", ("--limit", 1, "--class", "candle")),
        ("mvtec", ("--class", "bottle,grid", "--protocol", "strict-native")),
    ],
)
def test_saved_maps_give_the_runs_own_numbers_bit_for_bit(cli, quick, tmp_path, target, flags):
    first = cli("run", *quick, "-t", target, *flags, "--save-maps", "--json", "-q")
    ran = record_of(first, tmp_path)
    (folder,) = tmp_path.glob("results/*/*/*.maps")
    classes = [flag for name in ran["classes"] for flag in ("--class", name)]
    told = cli("score", folder, "-t", target, *classes, "--json", "-v")
    assert told.code == 0, told.err
    record = record_of(told, tmp_path)
    for field in ("classes", "counts", "mean", "undefined", "not_comparable_because", "ledger"):
        assert record[field] == ran[field], field
    assert {key: record["cell"][key] for key in ("method", "image_size", "limit", "protocol")} == {
        key: ran["cell"][key] for key in ("method", "image_size", "limit", "protocol")
    }
    assert record["cell"]["maps"]["image_score"] == "scores.csv"
    assert record["provenance"]["maps_of"] == ran["identity"] != record["identity"]
    assert "as in the run that saved the maps: " in told.err
    details = [read_details(tmp_path / path_of(one)) for one in (first, told)]
    assert details[1] == details[0] | {"identity": record["identity"]}


def test_a_set_without_masks_needs_scores_or_maps_alone(cli, quick, tmp_path):
    ran = record_of(cli("run", *quick, "-t", "brainmri", "--save-maps", "--json", "-q"), tmp_path)
    (folder,) = tmp_path.glob("results/*/*/*.maps")
    for one in folder.rglob("*.npy"):
        one.unlink()
    record = record_of(cli("score", folder, "-t", "brainmri", "--json"), tmp_path)
    assert record["classes"] == ran["classes"]
    assert record["counts"] == ran["counts"]


@pytest.mark.parametrize("save", [save_npy, save_npz, save_tiff, save_lzw, save_png, save_stem, save_swapped])
def test_every_format_gives_the_same_numbers(cli, own, target, maps, tmp_path, save):
    told = cli("score", maps(save=save), *target, "--method-name", "other", "--json")
    assert told.code == 0, told.err
    record = record_of(told, tmp_path)
    for name in IMAGES:
        assert record["classes"][name] == measured(own, name, values())
    assert record["cell"]["method"] == "other"
    assert record["cell"]["maps"]["image_score"] == "maximum of the map"
    assert record["comparable"]
    assert record["ledger"]["grade"] == "unknown"
    assert record["counts"]["nut"]["anomalous"] == 3


def test_scores_of_a_table_take_the_place_of_the_maximum(cli, own, target, maps, tmp_path):
    folder, made = maps(), values()
    scores = {relative: -float(one.max()) for relative, one in made.items()}
    (folder / "scores.csv").write_text("path,score,note\n" + "".join(f"{k},{v!r},x\n" for k, v in scores.items()))
    record = record_of(cli("score", folder, *target, "--json"), tmp_path)
    assert record["cell"]["method"] == "maps"
    assert record["classes"]["nut"] == measured(own, "nut", made, scores)
    assert record["classes"]["nut"]["image_auroc"] != measured(own, "nut", made)["image_auroc"]


def test_the_table_and_python_say_the_same(cli, own, target, maps, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    folder = maps()
    told = cli("score", folder, *target, "--metric", "pixel_aupro@0.05", "--class", "nut")
    assert told.code == 0, told.err
    (result,) = tmp_path.glob(f"results/*/maps/{'?' * 16}.json")
    record = json.loads(result.read_text())
    row = next(line for line in told.out.splitlines() if " nut " in line)
    assert row.split()[2:] == [f"{100 * value:.1f}" for value in record["classes"]["nut"].values()]
    assert record["signature"] in told.out
    results = zsadbench.score(folder, f"folder:{own}", image_size=SIDE, class_="nut", out=tmp_path / "again")
    ((path, again),) = results.records
    assert path.name == result.name
    assert again.classes["nut"].items() <= record["classes"]["nut"].items()
    with pytest.raises(zsadbench.UsageError, match="score\\(\\) takes no argument 'method'"):
        zsadbench.score(folder, "visa", method="x")


def test_metrics_over_all_classes_and_at_other_thresholds(cli, target, maps, tmp_path, own):
    wanted = ("pixel_auroc@pooled", "image_auroc@pooled", "pixel_f1@aux")
    record = record_of(cli("score", maps(), *target, "--metric", ",".join(wanted), "--json"), tmp_path)
    made = values()
    masks = {
        relative: np.asarray(Image.open(own / mask_name(relative))) if "/bad/" in relative else np.zeros((SIDE, SIDE))
        for relative in made
    }
    pixels = metrics.pixel_auroc(list(made.values()), [masks[relative] for relative in made])
    assert record["mean"]["pixel_auroc@pooled"] == pytest.approx(pixels, abs=1e-6)
    labels = ["/bad/" in relative for relative in made]
    assert record["mean"]["image_auroc@pooled"] == metrics.image_auroc([one.max() for one in made.values()], labels)
    assert record["mean"]["pixel_f1@aux"] is None
    assert record["undefined"]["nut"]["pixel_f1@aux"] == "no detector was seen, only what it made"


def test_it_is_done_once_and_a_changed_map_is_another_record(cli, target, maps, tmp_path):
    folder = maps()
    first = cli("score", folder, *target, "--class", "nut", "--json")
    assert json.loads(first.out.splitlines()[-1]) == {"event": "done", "finished": 1, "skipped": 0, "failed": 0}
    again = cli("score", folder, *target, "--class", "nut", "--json")
    assert json.loads(again.out.splitlines()[-1]) == {"event": "done", "finished": 0, "skipped": 1, "failed": 0}
    whole = record_of(cli("score", folder, *target, "--json"), tmp_path)
    assert list(whole["classes"]) == ["bolt", "nut"]
    assert len(list(tmp_path.glob(f"results/*/maps/{'?' * 16}.json"))) == 1
    np.save(f"{folder / IMAGES['nut'][0]}.npy", np.zeros((SIDE, SIDE)))
    changed = record_of(cli("score", folder, *target, "--json"), tmp_path)
    assert changed["identity"] != whole["identity"]
    assert changed["classes"]["bolt"] == whole["classes"]["bolt"]


def test_every_missing_image_is_named(cli, target, maps, tmp_path, monkeypatch):
    folder, gone = maps(), [IMAGES["bolt"][1], IMAGES["nut"][4]]
    for relative in gone:
        Path(f"{folder / relative}.npy").unlink()
    told = cli("score", folder, *target)
    assert told.code == 3
    assert "2 of 12 images have no map" in told.error
    assert "bolt 1, nut 1" in told.error
    assert all(relative in told.error for relative in gone)
    assert not (tmp_path / "results").exists()
    told = cli("score", folder, *target, "--allow-partial", "--json")
    assert told.code == 0
    assert all(f"left out, for it has no map: {relative}" in told.err for relative in gone)
    record = record_of(told, tmp_path)
    assert record["cell"]["partial"]
    assert not record["comparable"]
    assert record["counts"]["nut"]["skipped"] == 1
    assert record["counts"]["nut"]["normal"] + record["counts"]["nut"]["anomalous"] == 5
    assert record["provenance"]["maps_missing"] == {"bolt": gone[:1], "nut": gone[1:]}
    monkeypatch.setattr("zsadbench.saved_maps.missing.MANY", 1)
    told = cli("score", folder, *target)
    assert f"{gone[0]} and 1 more, named above" in told.error
    assert f"warning: no map for {gone[1]}" in told.err
    (tmp_path / "empty").mkdir()
    told = cli("score", tmp_path / "empty", *target)
    assert told.code == 3
    assert f"expected, for example, '{tmp_path / 'empty' / IMAGES['bolt'][0]}.npy'" in told.error


def test_maps_of_another_size_are_enlarged_and_that_is_said_once(cli, own, target, maps, tmp_path):
    made = values(4)
    told = cli("score", maps(made), *target, "--json")
    assert told.code == 0
    assert told.err.count("maps of 4×4 are brought to 16×16") == 1
    record = record_of(told, tmp_path)
    assert record["provenance"]["maps_enlarged"] == {name: {"4×4": 6} for name in IMAGES}
    full = {
        relative: torch.nn.functional.interpolate(torch.from_numpy(one)[None, None], (SIDE, SIDE), mode="bilinear")[
            0, 0
        ]
        for relative, one in made.items()
    }
    found = measured(own, "nut", {relative: one.numpy() for relative, one in full.items()})
    stored = measured(own, "nut", {relative: np.full((SIDE, SIDE), one.max()) for relative, one in made.items()})
    assert record["classes"]["nut"] == found | {key: stored[key] for key in stored if key.startswith("image")}


def test_masks_are_resized_by_the_protocol(cli, own, maps, tmp_path):
    made = values(8)
    told = cli("score", maps(made), "-t", f"folder:{own}", "--image-size", 8, "--json")
    record = record_of(told, tmp_path)
    collected = ClassMetrics()
    for relative in IMAGES["nut"]:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if "/bad/" in relative:
            mask = np.asarray(Image.open(own / mask_name(relative))) // 255
        one = made[relative]
        collected.update([one.max()], [int("/bad/" in relative)], [one], [resize_mask_nearest(mask, 8)])
    assert record["classes"]["nut"] == {key: one.value for key, one in collected.compute().items()}


def test_what_is_not_finite_costs_its_class_only(cli, target, maps, tmp_path):
    made = values()
    made[IMAGES["bolt"][2]][3, 3] = np.nan
    told = cli("score", maps(made), *target, "--json")
    assert told.code == 5
    assert f"the anomaly map of {IMAGES['bolt'][2]} holds NaN" in told.error
    record = record_of(told, tmp_path)
    assert list(record["classes"]) == ["nut"]
    assert record["mean"] is None
    assert json.loads(told.out.splitlines()[-1])["failed"] == 1


class _Touch:
    """Something that a pickle would make."""

    def __reduce__(self):
        return (Path.touch, (Path("touched"),))


def pickled(path):
    np.save(path, np.array([[_Touch()]], dtype=object), allow_pickle=True)


def promising(path):
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (30000, 30000)})


def of_three_axes(path):
    np.save(path, np.zeros((3, SIDE, SIDE), np.float32))


def complex_numbers(path):
    np.save(path, np.zeros((SIDE, SIDE), np.complex64))


def two_arrays(path):
    np.savez(path.with_suffix(".npz"), a=np.zeros((SIDE, SIDE)), b=np.zeros((SIDE, SIDE)))


def no_archive(path):
    path.with_suffix(".npz").write_bytes(b"PK nothing")


def no_array(path):
    with zipfile.ZipFile(path.with_suffix(".npz"), "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00")


def eight_bits(path):
    Image.new("L", (SIDE, SIDE)).save(path.with_suffix(".png"))


def no_picture(path):
    path.with_suffix(".tiff").write_bytes(b"II*\x00")


def two_pages(path):
    pages = [Image.fromarray(np.zeros((SIDE, SIDE), np.float32)) for _ in range(2)]
    pages[0].save(path.with_suffix(".tiff"), save_all=True, append_images=pages[1:])


HOSTILE = {
    pickled: "it holds object",
    promising: "its header promises [30000, 30000]",
    of_three_axes: "it has the shape [3, 16, 16]",
    complex_numbers: "it holds complex64",
    two_arrays: "it holds 2 arrays",
    no_archive: "File is not a zip file",
    no_array: "cannot be read as a map",
    eight_bits: "256 levels are too few",
    no_picture: "cannot be read as a map",
    two_pages: "it holds 2 pages",
}


@pytest.mark.parametrize("spoil", HOSTILE)
def test_broken_and_hostile_files_are_told_in_one_line(cli, target, maps, tmp_path, spoil):
    folder = maps()
    path = Path(f"{folder / IMAGES['bolt'][2]}.npy")
    path.unlink()
    spoil(path)
    told = cli("score", folder, *target, "--json")
    assert told.code == 5
    assert told.error.startswith(f"error: maps on folder:parts, bolt: '{path.with_suffix('')}")
    assert HOSTILE[spoil] in told.error
    assert list(record_of(told, tmp_path)["classes"]) == ["nut"]
    assert not Path("touched").exists()


def test_which_map_is_meant_is_never_guessed(cli, target, maps, tmp_path):
    folder = maps()
    save_tiff(folder / IMAGES["bolt"][0], values()[IMAGES["bolt"][0]])
    told = cli("score", folder, *target)
    assert told.code == 3
    assert "are both maps of" in told.error
    Path(f"{folder / IMAGES['bolt'][0]}.tiff").unlink()
    outside = tmp_path / "outside.npy"
    path = Path(f"{folder / IMAGES['bolt'][0]}.npy")
    path.rename(outside)
    path.symlink_to(outside)
    told = cli("score", folder, *target)
    assert told.code == 3
    assert "leads out of" in told.error


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("name,score\na,1\n", "has no columns 'path' and 'score' in its first line"),
        ("", "has no columns 'path' and 'score' in its first line"),
        ("path,score\n,1\n", "row 2, has no 'path'"),
        (f"path,score\n{IMAGES['nut'][0]},0,5\n", "row 2, has more cells than columns; write 0.5, not 0,5"),
        (f"path,score\n{IMAGES['nut'][0]},nan\n", "finite 'score'"),
        (f"path,score\n{IMAGES['nut'][0]},1\n{IMAGES['nut'][0]},2\n", "row 3: a second score"),
        (f"path,score\n{IMAGES['nut'][0]},1\n", "11 of 12 images have no map, or no score in scores.csv,"),
    ],
)
def test_a_table_of_scores_that_cannot_be_right_is_refused(cli, target, maps, table, why):
    folder = maps()
    (folder / "scores.csv").write_text(table)
    told = cli("score", folder, *target)
    assert told.code == 3
    assert why in told.error


def test_mistakes(cli, target, maps, mini, monkeypatch):
    folder = maps()
    monkeypatch.setenv("ZSADBENCH_DATA", str(mini))
    assert cli("score", "nowhere", *target).error.endswith("'nowhere' is no folder; give the folder with the maps")
    assert cli("score", folder).code == 2
    assert cli("score", folder, "-t", "visa,mvtec").code == 2
    assert cli("score", folder, *target, "--metric", "pixel_auprc").error.endswith("did you mean 'pixel_auroc'?")
    assert cli("score", folder, *target, "--class", "nit").error.endswith("did you mean 'nut'?")
    assert cli("score", folder, *target, "--protocol", "strickt").code == 2
    assert cli("score", folder, *target, "--image-size", 0).code == 2
    assert cli("score", folder, *target, "--seed", "1,2").code == 2
    assert cli("score", folder, "-t", "visa").code == 3


def test_it_imports_no_open_clip(tmp_path):
    for number, kind in enumerate(KINDS):
        write_picture(tmp_path / "parts" / kind / "0.png", np.zeros((SIDE, SIDE), np.uint8))
        (tmp_path / "maps" / kind).mkdir(parents=True)
        np.save(tmp_path / "maps" / kind / "0.npy", np.full((4, 4), number))
    code = "import sys\nfrom zsadbench.cli import main\ntry:\n    main()\nexcept SystemExit as left:\n"
    code += "    assert not left.code\nassert 'open_clip' not in sys.modules"
    arguments = ["score", tmp_path / "maps", "-t", f"folder:{tmp_path / 'parts'}", "--json", "--out", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[0])["mean"]["image_auroc"] == 1


@pytest.mark.parametrize("name", ["fbclip", "clip", "FBCLIP", "Colour-Distance", "afclip "])
def test_maps_of_another_program_cannot_have_the_name_of_a_method(cli, target, maps, tmp_path, name):
    told = cli("score", maps(), *target, "--method-name", name)
    assert told.code == 2
    assert f"maps of another program cannot be named '{name}'" in told.err
    assert f"--method-name my-{name.strip().lower()}" in told.err
    assert not (tmp_path / "results").exists()


def test_nor_can_a_folder_that_is_named_like_a_method_name_its_maps(cli, target, maps, tmp_path):
    folder = maps().rename(tmp_path / "clip")
    told = cli("score", folder, *target)
    assert told.code == 2
    assert "cannot be named 'clip'" in told.err
    record = record_of(cli("score", folder, *target, "--method-name", "my-clip", "--json"), tmp_path)
    assert record["cell"]["method"] == "my-clip"


@pytest.fixture
def saved(cli, own, tmp_path):
    """The maps that a run of `colour-distance` on the user's folder saved, with their record next to them."""
    cli("run", "-m", "colour-distance", "--backbone", "demo", "-t", f"folder:{own}", "--save-maps")
    (folder,) = tmp_path.glob("results/*/*/*.maps")
    return folder


def test_the_record_of_the_methods_own_run_allows_its_name(cli, own, saved, tmp_path):
    scored = tmp_path / "scored"
    flags = ("-t", f"folder:{own}", "--json", "--out", scored)
    record = record_of(cli("score", saved, *flags, "--method-name", "colour-distance"), tmp_path)
    assert record["cell"]["method"] == "colour-distance"
    told = cli("score", saved, *flags, "--method-name", "clip")
    assert told.code == 2
    assert "cannot be named 'clip'" in told.err


def test_a_record_of_maps_is_no_run_of_the_method(cli, own, saved, tmp_path):
    path = saved.with_suffix(".json")
    content = json.loads(path.read_text())
    content["cell"]["maps"] = {"digest": "0" * 64, "image_score": "maximum of the map"}
    path.write_text(json.dumps(content))
    told = cli("score", saved, "-t", f"folder:{own}", "--method-name", "colour-distance")
    assert told.code == 2
    assert "cannot be named 'colour-distance'" in told.err
