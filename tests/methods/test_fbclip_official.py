"""FB-CLIP's published files, and parity with what the published code computes."""

import json
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zsadbench.checkpoints import load_state
from zsadbench.errors import UsageError, WeightsError
from zsadbench.registry import method_card
from zsadbench.types import Batch

CARD = method_card("fbclip")
SETTINGS = {
    **{"layers": [1, 12], "n_ctx": 12, "class_word": "object", "temperature": 0.07, "views": ["ID", "SPA"]},
    **{"text_causal_mask": False, "text_fusion_weights": {"mean": 1.0, "attention": 0.5, "eot": 0.25}},
    **{"foreground_threshold": 0.5, "background_fraction": "the whole token sequence", "background_mix": 0.4},
    "consistency_weight": 0.1,
}


# --- the file --------------------------------------------------------------------------------------


@pytest.fixture
def published(fbclip, tmp_path):
    """`published(leave_out=None)` writes a file as the published training does; also gives the head's state."""
    state = {name: tensor.clone() for name, tensor in fbclip().network.state_dict().items()}
    theirs = {name: state[ours] for name, ours in CARD.official.names().items()}

    def write(leave_out=None):
        prompts = {name: theirs[name][None, None] for name in ("ctx_pos", "ctx_neg")}
        prompts |= {f"tokenized_prompts_{side}": torch.zeros(1, 1, 77, dtype=torch.int32) for side in ("pos", "neg")}
        prompts |= {f"compound_prompts_text.{k}": torch.zeros(4, 64) for k in range(8)}
        rest = {name: tensor for name, tensor in theirs.items() if name not in prompts}
        rest |= {"fusion_weights": torch.ones(3), "layer_selector": torch.ones(18), "fusion_weight": torch.tensor(0.5)}
        rest["gate_network.0.weight"] = torch.zeros(8, 8)
        for part in (prompts, rest):
            part.pop(leave_out, None)
        path = tmp_path / "mvtec_epoch_1_model.pth"
        about = {"epoch": 1, "loss": np.float64(0.39), "source_domain": "mvtec"}
        torch.save({"prompt_learner": prompts, "model_trainable_params": rest, **about}, path)
        return path

    return write, state


def with_numpy(path, package):
    """The same file as a NumPy of another age would have written it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickled = next(name for name in members if name.endswith("data.pkl"))
    for spelling in (b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"):
        members[pickled] = members[pickled].replace(spelling, package.encode() + b"\n")
    assert package.encode() in members[pickled]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("package", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_a_published_file_is_read_and_unused_tensors_are_left_out(published, fbclip, package):
    write, state = published
    read = CARD.official.read([with_numpy(write(), package)])
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())
    detector = fbclip()
    load_state(detector.network, read, "the file")


@pytest.mark.parametrize("name", sorted(CARD.official.names()))
def test_a_missing_tensor_is_named(published, name):
    write, _ = published
    with pytest.raises(WeightsError, match=rf"is no complete FB-CLIP checkpoint: {name} is missing \(1 tensors\)"):
        CARD.official.read([write(leave_out=name)])


def test_files_of_other_kinds_are_refused(tmp_path, published):
    write, state = published
    path = tmp_path / "other.pt"
    for content in (state, torch.zeros(3), {"prompt_learner": {}}, [1]):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="is no FB-CLIP checkpoint"):
            CARD.official.read([path])
    with pytest.raises(WeightsError, match="publishes one checkpoint file, 2 were given"):
        CARD.official.read([write(), write()])


def test_another_methods_file_is_refused(fixtures_root):
    for name in ("anomalyclip", "aprilgan", "faprompt"):
        for path in sorted((fixtures_root / name).glob("*.pth")):
            with pytest.raises(WeightsError, match="FB-CLIP checkpoint"):
                CARD.official.read([path])


def test_settings_of_a_fixture_become_options():
    options = CARD.options(**CARD.official.options(SETTINGS))
    assert options.layers == (1, 12)
    assert options.views == ("id", "spa")
    assert (options.weight_mean, options.weight_attention, options.weight_eot) == (1.0, 0.5, 0.25)
    assert (options.bs_fraction, options.bs_mix, options.scr_weight) == (1.0, 0.4, 0.1)
    assert CARD.official.options({**SETTINGS, "background_fraction": 0.25})["bs_fraction"] == 0.25
    with pytest.raises(UsageError, match="'background_fraction' is 'the lower half'; known: first half of the token"):
        CARD.official.options({**SETTINGS, "background_fraction": "the lower half"})


def test_trained_weights_bind_every_option_but_those_of_the_loss():
    only_loss = {"scr", "scr_weight", "scr_margin", "focal_gamma", "dice_weight"}
    assert CARD.weight_bound == CARD.options.__dataclass_fields__.keys() - only_loss


# --- parity ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parity(fixtures_root):
    folder = fixtures_root / "fbclip"
    fixture = json.loads((folder / "fixture.json").read_text())
    return folder, fixture, load_file(folder / "inputs.safetensors"), load_file(folder / "expected.safetensors")


@pytest.fixture
def loaded(parity, oracle_backbone):
    """(detector with the published weights, the fixture's tokens)."""
    folder, fixture, inputs, _ = parity
    backbone, options = (
        oracle_backbone(fixture["image_size"]),
        CARD.options(**CARD.official.options(fixture["options"])),
    )
    detector = CARD.build(backbone, options)
    load_state(detector.network, CARD.official.read([folder / name for name in fixture["checkpoint_files"]]), "fixture")
    with torch.no_grad():
        return detector, backbone.vision(inputs["images"], CARD.taps(options))


@pytest.fixture
def parity_batch(parity):
    _, fixture, inputs, _ = parity
    return Batch(inputs["images"], inputs["masks"].float(), inputs["labels"], tuple(fixture["class_names"] * 3))


def test_stages_are_those_of_the_published_code(parity, loaded):
    _, fixture, _, expected = parity
    detector, tokens = loaded
    with torch.no_grad():
        stages = detector.stages(tokens, fixture["class_names"] * 3)
    known = set(expected) - {"map", "map_smooth"} - {n for n in expected if n.startswith(("loss", "gradnorm/"))}
    assert known <= stages.keys()
    for name in sorted(known):
        wanted, found = expected[name], stages[name]
        if name == "foreground_mask":
            assert torch.equal(found, wanted)
            continue
        if name.startswith(("vision_tokens", "projected")):
            found = found[: len(wanted)]
        limit = 1e-5 if name == "score" else 3e-5
        assert (found - wanted).abs().max() <= limit * max(1.0, wanted.abs().max().item()), name


def test_scores_and_maps_are_those_of_the_published_code(parity, loaded):
    _, fixture, _, expected = parity
    detector, tokens = loaded
    with torch.no_grad():
        scores = detector.score(tokens, fixture["class_names"] * 3)
    assert (scores.image - expected["score"]).abs().max() <= 1e-5
    assert (scores.pixel - expected["map_grid"]).abs().max() <= 3e-5
    size = (fixture["image_size"],) * 2
    enlarged = torch.nn.functional.interpolate(scores.pixel[:, None], size, mode="bilinear", align_corners=False)
    assert (enlarged[:, 0] - expected["map"]).abs().max() <= 3e-5


def test_losses_and_gradients_are_those_of_the_published_code(parity, loaded, parity_batch):
    _, fixture, _, expected = parity
    detector, tokens = loaded
    losses = detector.loss(tokens, parity_batch)
    for name, value in losses.items():
        assert abs(value - expected[f"loss_{name}"]) <= 1e-5, name
    total = sum(losses.values())
    assert abs(total - expected["loss_total"]) <= 1e-5
    total.backward()
    ours, tolerance = dict(detector.network.named_parameters()), fixture["tolerance"]["gradnorm"]
    assert {f"gradnorm/{name}" for name in CARD.official.names()} == {n for n in expected if n.startswith("gradnorm/")}
    for theirs, name in CARD.official.names().items():
        wanted, found = expected[f"gradnorm/{theirs}"], ours[name].grad.norm()
        assert abs(found - wanted) <= tolerance["abs"] + tolerance["rel"] * wanted, theirs


def test_three_steps_are_those_of_the_published_training(parity, loaded, parity_batch):
    _, fixture, _, expected = parity
    detector, tokens = loaded
    how = fixture["training"]
    recipe = CARD.recipe
    assert (recipe.lr, recipe.betas, recipe.optimiser) == (how["lr"], tuple(how["betas"]), "adam")
    optimiser = torch.optim.Adam(detector.network.parameters(), lr=recipe.lr, betas=recipe.betas)
    curve = []
    for _ in range(4):
        total = sum(detector.loss(tokens, parity_batch).values())
        curve.append(total.item())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    assert curve == pytest.approx(expected["loss_curve"].tolist(), abs=1e-5)
