"""One clear line and the right exit code for every mistake; nothing half-written."""

import json
import os
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from zsadbench.cli.shared.progress import Progress
from zsadbench.engine.evaluate.measure import ClassMeasurement

MISTAKES = {
    "method": (("-m", "fbclp"), "no method named 'fbclp'; did you mean 'fbclip'?"),
    "target": (("-t", "mvtce"), "no data set named 'mvtce'; did you mean 'mvtec'?"),
    "class": (("-t", "mvtec", "--class", "botle"), "no class of mvtec named 'botle'; did you mean 'bottle'?"),
    "backbone": (("--backbone", "ViT-L-14-366"), "no backbone named 'ViT-L-14-366'; did you mean"),
    "protocol": (("--protocol", "strickt"), "no protocol named 'strickt'; did you mean 'strict'?"),
    "metric": (("--metric", "pixel_auprp"), "no metric named 'pixel_auprp'; did you mean 'pixel_aupro'?"),
    "option": (("-O", "viws=id"), "no option of fbclip named 'viws'; did you mean 'views'?"),
    "option value": (("-O", "views=id,sam"), "option 'views' is ['id', 'sam']"),
    "option switch": (("-O", "bs=maybe"), "option 'bs' is 'maybe'; it takes true or false"),
    "option form": (("-O", "views"), "option 'views' is not of the form KEY=VALUE"),
    "preset": (("-O", "preset=bass"), "no preset of fbclip named 'bass'; did you mean 'base'?"),
    "aux": (("--aux", "vissa"), "no data set named 'vissa'; did you mean 'visa'?"),
    "aux is target": (("-t", "colondb", "--aux", "colondb"), "'colondb' is both --aux and --target"),
    "aux of a checkpoint is target": (
        ("-t", "colondb", "--aux", "CVC-ColonDB", "--checkpoint", "nowhere.pth"),
        "'colondb' is both --aux and --target: the checkpoint would have learned from the test images",
    ),
    "aux without masks": (("--aux", "brainmri", "-t", "colondb"), "'brainmri' has no masks"),
    "image size": (("--image-size", "100"), "image size 100 is no multiple of the patch"),
    "limit": (("--limit", "0"), "--limit is 0; it must be at least 1"),
    "epochs": (("--epochs", "x"), "--epochs"),
    "seed": (("--seed", "one"), "--seed takes whole numbers"),
    "precision": (("--precision", "fp8"), "--precision is 'fp8'"),
    "device": (("--device", "tpu"), "no device named 'tpu'"),
    "overwrite": (("--overwrite", "perhaps"), "--overwrite is 'perhaps'"),
    "batch size": (("--batch-size", "many"), "--batch-size is 'many'"),
    "flag": (("--no-such-flag",), "--no-such-flag"),
    "shots": (("--shots", "2"), "--shots: no few-shot form of fbclip is known"),
    "negative shots": (("--shots", "-1"), "--shots must not be negative"),
    "odd shots": (("--shots", "one"), "--shots takes whole numbers"),
    "token cache": (("--token-cache", "much"), "--token-cache is 'much'"),
    "engine": (("--engine", "sge"), "--engine is 'sge'; it takes one of: local, processes, ray"),
    "address": (("--address", "auto"), "--address is the cluster of --engine ray"),
    "local jobs": (("--engine", "local", "--jobs", "2"), "--engine local has one worker"),
    "shard": (("--shard", "0"), "--shard is 0; it must be at least 1"),
    "shallow tower": (("-O", "layers=23,24"), "too shallow for taps [23, 24]"),
    "recipe": (("-O", "recipe.lr=0"), "option 'recipe.lr=0' must be positive"),
    "plugin": (("--plugin", "nowhere.py"), "plugin 'nowhere.py' is not a file"),
}


@pytest.mark.parametrize(("flags", "message"), MISTAKES.values(), ids=MISTAKES)
def test_usage(cli, quick, flags, message, tmp_path):
    told = cli("run", *quick, *([] if "-t" in flags else ["-t", "brainmri"]), *flags)
    assert told.code == 2, told.err
    assert message in told.error
    assert not told.out
    assert not (tmp_path / "results").exists()


def test_nothing_asked_for(cli):
    assert cli("run", "-t", "visa").error.startswith("error: no method given")
    assert cli("run", "-m", "fbclip").error.startswith("error: no target given")


def test_several_methods_need_named_options(cli, quick):
    told = cli("run", *quick, "-m", "clip", "-t", "brainmri", "-O", "views=id")
    assert told.code == 2
    assert "'fbclip.views=id'" in told.error
    assert cli("run", *quick, "-m", "clip", "-t", "brainmri", "-O", "fbclip.views=id,sem", "-q").code == 0


def test_an_incomplete_copy_is_refused_with_the_list(cli, quick, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "mvtec", other / "mvtec")
    shutil.rmtree(other / "mvtec" / "cable")
    told = cli("run", *quick, "-t", "mvtec", "--data-root", other)
    assert told.code == 3
    assert "cable" in told.error
    assert "--allow-partial" in told.error
    assert not (tmp_path / "results").exists()


def test_a_missing_mask_is_named(cli, quick, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "CVC-ColonDB", other / "CVC-ColonDB")
    mask = next((other / "CVC-ColonDB" / "masks").iterdir())
    mask.unlink()
    told = cli("run", *quick, "-t", "colondb", "--data-root", other)
    assert told.code == 3
    assert mask.name in told.error


def test_a_mask_of_another_size_is_named(cli, quick, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "CVC-ColonDB", other / "CVC-ColonDB")
    mask = next((other / "CVC-ColonDB" / "masks").iterdir())
    Image.new("L", (5, 7), 255).save(mask)
    told = cli("run", *quick, "-t", "colondb", "--data-root", other)
    assert told.code == 3
    assert str(mask) in told.error
    assert "5×7" in told.error


def test_a_truncated_image_costs_its_class_and_exits_5(cli, quick, mini, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(mini / "brainmri", other / "brainmri")
    image = next((other / "brainmri").rglob("*.jpg"))
    image.write_bytes(image.read_bytes()[:200])
    shutil.copytree(mini / "CVC-ColonDB", other / "CVC-ColonDB")
    told = cli("run", *quick, "-t", "brainmri", "-t", "colondb", "--data-root", other, "--json")
    assert told.code == 5
    assert image.name in told.error
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [event.get("target") for event in events] == ["colondb", None]
    assert events[-1] == {"event": "done", "finished": 1, "skipped": 0, "failed": 1}
    assert not (tmp_path / "results" / "brainmri").exists()


@pytest.mark.parametrize("kept", [0, 12, 300], ids=["no bytes", "no header", "half"])
@pytest.mark.parametrize("kind", ["good", "bent_wire"])
def test_a_broken_image_costs_its_class_alone_whatever_its_label(cli, quick, mini, tmp_path, kind, kept):
    other = tmp_path / "other"
    shutil.copytree(mini / "mvtec", other / "mvtec")
    image = next((other / "mvtec" / "cable" / "test" / kind).iterdir())
    image.write_bytes(image.read_bytes()[:kept])
    told = cli("run", *quick, "-t", "mvtec", "--class", "cable,tile", "--data-root", other, "--json", "-q")
    assert told.code == 5
    (line,) = told.err.splitlines()
    assert line.startswith(f"error: fbclip on mvtec, seed 0, cable: '{image}' cannot be read as an image: ")
    record, done = (json.loads(line) for line in told.out.splitlines())
    assert (done["finished"], done["failed"]) == (0, 1)
    kept_classes = json.loads((tmp_path / record["path"]).read_text())["classes"]
    assert set(record["classes"]) == set(kept_classes) == {"tile"}


def test_weights_that_are_no_clip(cli, quick, tmp_path):
    notes = tmp_path / "notes.pt"
    torch.save({"weight": torch.zeros(2)}, notes)
    told = cli("run", *quick, "-t", "brainmri", "--weights", notes)
    assert told.code == 4
    assert "holds no CLIP" in told.error


def test_weights_that_are_not_there(cli, quick):
    told = cli("run", *quick, "-t", "brainmri", "--weights", "nowhere.pt")
    assert told.code == 4
    assert "'nowhere.pt' are not a file" in told.error


def test_a_size_that_is_no_multiple_of_the_patch_of_an_archive(cli, mini, archive):
    told = cli("run", "-m", "clip", "-t", "brainmri", "--weights", archive, "--data-root", mini, "--image-size", 50)
    assert told.code == 2
    assert "try 56" in told.error


class _Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("whole", [True, False], ids=["bare pickle", "torch.save"])
def test_a_malicious_checkpoint_runs_nothing(cli, quick, tmp_path, whole):
    path = tmp_path / "checkpoint.pth"
    if whole:
        path.write_bytes(pickle.dumps(_Bomb()))
    else:
        torch.save({"prompt_learner": {}, "model_trainable_params": _Bomb()}, path)
    flags = [flag for flag in quick if flag not in {"--aux", "none"}]
    told = cli("run", *flags, "-t", "brainmri", "--checkpoint", path)
    assert told.code == 4
    assert str(path) in told.error
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_another_method(cli, quick, fixtures_root):
    flags = [flag for flag in quick if flag not in {"--aux", "none"}]
    told = cli("run", *flags, "-t", "brainmri", "--checkpoint", fixtures_root / "anomalyclip" / "checkpoint.pth")
    assert told.code == 4
    assert "no FB-CLIP checkpoint" in told.error


def test_a_checkpoint_of_another_backbone(cli, quick, fixtures_root):
    flags = [flag for flag in quick if flag not in {"--aux", "none"}]
    told = cli("run", *flags, "-t", "brainmri", "--checkpoint", fixtures_root / "fbclip" / "checkpoint.pth")
    assert told.code == 4
    assert "another backbone" in told.error


def test_the_order_of_the_checks_is_usage_weights_data(cli, quick):
    nothing = ("--data-root", "nowhere", "--weights", "nowhere.pt")
    assert cli("run", *quick, "-t", "brainmri", *nothing, "-O", "viws=1").code == 2
    assert cli("run", *quick, "-t", "brainmri", *nothing).code == 4
    assert cli("run", *quick, "-t", "brainmri", "--data-root", "nowhere").code == 3


def test_a_wrong_settings_file(cli, quick, tmp_path):
    (tmp_path / "zsadbench.toml").write_text("[run]\nmehtod = 'clip'\n")
    told = cli("run", *quick, "-t", "brainmri")
    assert told.code == 2
    assert "'mehtod' in [run]" in told.error
    (tmp_path / "zsadbench.toml").write_text("run = [")
    assert cli("run", *quick, "-t", "brainmri").code == 2


def test_weights_and_checkpoints_are_judged_before_data(cli, small, archive, tmp_path):
    foreign = tmp_path / "foreign.pth"
    foreign.write_text("no checkpoint")
    nowhere = ("-m", "fbclip", "-t", "visa", "--backbone", small, "--data-root", tmp_path / "nowhere")
    told = cli("run", *nowhere, "--weights", "random", "--checkpoint", foreign)
    assert (told.code, str(foreign) in told.error) == (4, True)
    deep = tmp_path / "deep.json"
    deep.write_text(json.dumps({**json.loads(small.read_text()), "embed_dim": 48}))
    told = cli("run", *nowhere[:4], "--backbone", deep, *nowhere[6:], "--weights", archive)
    assert (told.code, "do not fit backbone" in told.error) == (4, True)
    assert not (tmp_path / "results").exists()


def test_an_unreadable_record_costs_only_its_own_cell(cli, quick):
    run = ("run", *quick, "-t", "brainmri", "-t", "colondb")
    told = cli(*run, "--json")
    first, second = (Path(json.loads(line)["path"]) for line in told.out.splitlines()[:2])
    first.write_text("{")
    told = cli(*run)
    assert told.code == 5
    assert str(first) in told.error
    assert "--overwrite always" in told.error
    assert first.read_text() == "{"
    assert str(second) in told.out
    assert cli(*run, "--overwrite", "always").code == 0
    assert json.loads(first.read_text())["schema"] == 1


def test_an_interrupted_run_says_what_will_be_repeated(cli, quick, monkeypatch):
    counted, update = [], ClassMeasurement.update

    def interrupt(self, *parts, **more):
        counted.append(1)
        if len(counted) > 1:
            raise KeyboardInterrupt
        return update(self, *parts, **more)

    monkeypatch.setattr(ClassMeasurement, "update", interrupt)
    told = cli("run", *quick, "-t", "brainmri", "--batch-size", "1")
    assert told.code == 130
    lines = told.err.splitlines()
    (lost,) = [line for line in lines if line.startswith("to be repeated: ")]
    assert lost == "to be repeated: fbclip on brainmri/brain, 1 of 2 images were scored"
    assert lines[-1] == "error: interrupted; what was finished is kept"


def test_an_interrupted_training_says_how_far_it_was(capsys):
    progress = Progress(json=False, quiet=True)
    job = SimpleNamespace(setup=SimpleNamespace(name="fbclip"), seed=0)
    progress.training(job, 3, 10, 0.5)
    progress.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == (
        "to be continued after its last kept epoch: training fbclip, seed 0, 3 of 10 steps were done\n"
    )
    progress.failed(job, "training", "the loss is not finite")
    capsys.readouterr()
    progress.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "", "a training that failed does not go on"


def test_an_interrupted_run_says_so(cli, quick, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("zsadbench.engine.run.run_plan", interrupt)
    told = cli("run", *quick, "-t", "brainmri")
    assert told.code == 130
    assert told.error == "error: interrupted; what was finished is kept"
