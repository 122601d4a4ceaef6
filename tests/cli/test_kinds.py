"""Kinds of backbones at the command line: an image encoder alone, and pairs other than CLIP, in every verb."""

import json

import numpy as np
import pytest
from PIL import Image

from zsadbench import registry

PLUGIN = '''
"""Distance of patches to those of normal images, or to the mean of the image."""
from dataclasses import dataclass

from torch.nn.functional import normalize

from zsadbench.types import Macs, MethodCard, Paper, Scores, Taps


@dataclass(frozen=True)
class Options:
    block: int = 7


class Nearest:
    def __init__(self, backbone, options):
        self.memory = None

    def remember(self, tokens):
        self.memory = normalize(tokens.layers[0][:, 1:], dim=-1).flatten(0, 1)

    def score(self, tokens, class_names):
        patches = normalize(tokens.layers[0][:, 1:], dim=-1)
        memory = normalize(patches.mean(dim=1, keepdim=True), dim=-1) if self.memory is None else self.memory
        distance = 1 - (patches @ memory.mT).amax(dim=-1)
        return Scores(distance.amax(dim=1), distance.reshape(-1, *tokens.shape))

    def encode_text(self, class_names):
        pass


CARD = MethodCard(
    name="nearest",
    paper=Paper(title="A test", venue="-", year=2026, key="test"),
    options=Options,
    taps=lambda options: Taps((options.block,), position="bicubic", numbering="own"),
    build=Nearest,
    smoothing=4.0,
    few_shot=True,
    macs=lambda config, options, grid: Macs({}, {}, 0),
    kinds=("vision-only", "image-text"),
)
'''
ENCODER = {"timm": "vit_small_patch14_reg4_dinov2"}
ENCODER |= {"arguments": {"embed_dim": 32, "depth": 8, "num_heads": 2, "init_values": 0.5, "img_size": 56}}
ROTARY = {"timm": "vit_small_patch16_dinov3"}
ROTARY |= {"arguments": {"embed_dim": 32, "depth": 8, "num_heads": 2, "init_values": 0.5, "img_size": 64}}


@pytest.fixture
def cli(cli):
    """Every command as if in a process of its own, which has loaded no plugin yet."""

    def forget():
        registry._plugins.pop("nearest", None)
        registry._points("methods").pop("nearest", None)

    def call(*arguments):
        forget()
        return cli(*arguments)

    yield call
    forget()


@pytest.fixture
def nearest(tmp_path):
    """The flags of a method on patch tokens and of a small image encoder with random weights."""
    (tmp_path / "nearest.py").write_text(PLUGIN)
    (tmp_path / "encoder.json").write_text(json.dumps(ENCODER))
    (tmp_path / "rotary.json").write_text(json.dumps(ROTARY))
    return ("-m", "nearest", "--plugin", tmp_path / "nearest.py", "--weights", "random")


def test_a_run_on_an_image_encoder(cli, nearest, mini, tmp_path):
    flags = (*nearest, "--backbone", tmp_path / "encoder.json", "--data-root", mini, "-t", "brainmri")
    assert cli("run", *flags, "--out", tmp_path / "r").code == 0
    (path,) = (tmp_path / "r" / "brainmri" / "nearest").glob("*.json")
    record = json.loads(path.read_text())
    cell, name = record["cell"], "vit_small_patch14_reg4_dinov2-32x8-14-56"
    assert (cell["backbone"], cell["image_size"]) == (name, 56)
    assert cell["tap_rule"] == {
        **{"rule": "the encoder's own numbers", "blocks": [7], "mapped": [7], "activation": "gelu"},
        **{"position": "bicubic", "kind": "vision-only"},
        "pixels": {"mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225]},
    }
    assert record["signature"].startswith(f"nearest|{name}:random|")
    assert {"random weights", f"backbone '{name}' is no published one"} <= set(record["not_comparable_because"])
    again = cli("run", *flags, "--out", tmp_path / "r", "--dry-run")
    assert again.code == 0
    other = cli("run", *flags, "-O", "block=8", "--out", tmp_path / "r")
    assert other.code == 0
    assert len(list((tmp_path / "r" / "brainmri" / "nearest").glob("*.json"))) == 2


def test_a_few_shot_run_on_an_image_encoder(cli, nearest, mini, tmp_path):
    flags = (*nearest, "--backbone", tmp_path / "rotary.json", "--data-root", mini, "-t", "mvtec", "--class", "bottle")
    assert cli("run", *flags, "--shots", "1", "--out", tmp_path / "r").code == 0
    record = json.loads(next((tmp_path / "r" / "mvtec" / "nearest").glob("*.json")).read_text())
    assert (record["cell"]["shots"], list(record["classes"])) == (1, ["bottle"])
    assert record["cell"]["tap_rule"]["activation"] == "gelu"


def test_methods_on_one_encoder_share_its_tokens(cli, nearest, mini, tmp_path):
    flags = (*nearest, "-m", "token-distance,colour-distance", "--backbone", tmp_path / "encoder.json")
    flags = (*flags, "--data-root", mini, "-t", "brainmri", "--out", tmp_path / "together")
    assert cli("run", *flags).code == 0
    alone = ("-m", "token-distance", "--backbone", tmp_path / "encoder.json", "--weights", "random")
    assert cli("run", *alone, "--data-root", mini, "-t", "brainmri", "--out", tmp_path / "alone").code == 0
    found = {
        folder: json.loads(next((tmp_path / folder / "brainmri" / "token-distance").glob("*.json")).read_text())
        for folder in ("together", "alone")
    }
    assert found["together"]["classes"] == found["alone"]["classes"]


def test_predict_with_and_without_references(cli, nearest, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    flags = (*nearest, "--backbone", tmp_path / "rotary.json", "--out", tmp_path / "maps")
    found = cli("predict", *flags, tmp_path / "one.png", tmp_path / "two.png", "--json")
    assert found.code == 0, found.err
    assert len(found.out.splitlines()) == 2
    assert list((tmp_path / "maps").rglob("*.csv"))


def test_a_profile_of_several_backbones(cli, tmp_path, nearest, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    flags = (*nearest, "--backbone", f"{tmp_path / 'encoder.json'},{tmp_path / 'rotary.json'}", "--rounds", "1")
    rows = [json.loads(line) for line in cli("profile", *flags, "--json").out.splitlines()]
    assert [row["kind"] for row in rows] == ["vision-only", "vision-only"]
    assert rows[0]["backbone"] != rows[1]["backbone"]
    for row in rows:
        assert row["gmac_tower"] > 0
        assert row["gmac_text"] == 0
        assert row["parameters_total"] > 1000
    printed = cli("profile", *flags)
    assert printed.code == 0
    for row in rows:
        assert f"nearest on {row['backbone']} (vision-only)" in " ".join(printed.out.split())


@pytest.mark.parametrize("verb", ["run", "train", "predict", "profile"])
def test_a_method_that_reads_text_is_refused_on_an_image_encoder(cli, nearest, tmp_path, verb):
    Image.new("RGB", (60, 60)).save(tmp_path / "one.png")
    rest = {"run": ("-t", "brainmri"), "predict": (tmp_path / "one.png",), "train": ("--aux", "visa")}.get(verb, ())
    for method in ("fbclip", "clip") if verb == "run" else ("fbclip",):
        found = cli(verb, "-m", method, "--backbone", tmp_path / "encoder.json", "--weights", "random", *rest)
        assert found.code == 2
        assert "is vision-only: an image encoder alone, without text" in found.error
        assert f"'{method}' takes backbones of the kind clip" in found.error


def test_a_method_of_other_kinds_is_refused_on_clip(cli, nearest, small, tmp_path):
    found = cli("run", *nearest, "--backbone", small, "-t", "brainmri")
    assert found.code == 2
    assert "'nearest' takes backbones of the kind vision-only or image-text" in found.error
    assert "is clip: a plain CLIP" in found.error


def test_a_pair_with_a_tokenizer_that_is_not_here_is_refused_before_anything_runs(cli, mini, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    flags = ("--weights", "random", "--backbone", "ViT-B-16-SigLIP2", "-t", "brainmri", "--data-root", mini)
    found = cli("run", "-m", "clip", *flags, "--offline")
    assert found.code == 4
    assert "the tokenizer 'timm/ViT-B-16-SigLIP2' of the text tower" in found.error
    assert cli("run", "-m", "fbclip", *flags).code == 2
    assert cli("run", "-m", "token-distance", *flags, "--dry-run").code == 0, "which reads no text"


def test_an_encoder_of_another_name_or_block_is_refused(cli, nearest, tmp_path):
    flags = (*nearest, "-t", "brainmri", "--backbone")
    assert "did you mean 'vit_small_patch14_dinov2'" in cli("run", *flags, "vit_small_patch14_dinov").error
    assert "lie outside the 8 blocks" in cli("run", *flags, tmp_path / "encoder.json", "-O", "block=9").error
    taken = ("-m", "token-distance", "--weights", "random", "-t", "brainmri", "-O", "activation=quick_gelu")
    changed = cli("run", *taken, "--backbone", tmp_path / "encoder.json", "--data-root", tmp_path)
    assert (changed.code, "its own activation, gelu" in changed.error) == (2, True)
    size = cli("run", *flags, tmp_path / "encoder.json", "--image-size", "60")
    assert (size.code, "no multiple of the patch" in size.error) == (2, True)


def test_lists_say_which_kinds_a_method_takes(cli):
    rows = {row["name"]: row for row in map(json.loads, cli("methods", "list", "--json").out.splitlines())}
    assert rows["fbclip"]["kinds"] == ["clip"]
    assert rows["clip"]["kinds"] == ["clip", "image-text"]
    assert rows["token-distance"]["kinds"] == ["clip", "image-text", "vision-only"]
    assert rows["winclip"].keys() >= {"name", "version", "kinds", "few_shot", "transductive", "paper"}
    assert rows["winclip"]["few_shot"] is True
    assert "clip, image-text," in cli("methods", "list").out
    assert json.loads(cli("methods", "show", "clip", "--json").out)["kinds"] == ["clip", "image-text"]
