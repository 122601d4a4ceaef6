"""Weights: four file formats, random draws, published tags, and everything that can be wrong with them."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file

from zsadbench.clip import build, resolve, weights
from zsadbench.clip.config import find_config
from zsadbench.clip.resolve import state_of, trained_with_quick_gelu
from zsadbench.errors import UsageError, WeightsError


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Any download is a failure of the test; the home folder is empty."""

    def refuse(*arguments, **_):
        raise AssertionError(f"tried to download {arguments}")

    monkeypatch.setattr("open_clip.pretrained.download_pretrained", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))


def towers(backbone):
    return {
        **backbone.vision.state_dict(),
        **{f"text.{key}": value for key, value in backbone.text.state_dict().items()},
    }


def test_all_formats_give_the_same_towers_bit_by_bit(weights_file, tiny_state, tiny_file):
    built = build(resolve(str(tiny_file), str(weights_file)))
    for name, tensor in built.vision.visual.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, tiny_state[f"visual.{name}"]), name
    for name, tensor in built.text.transformer.state_dict().items():
        assert torch.equal(tensor, tiny_state[f"transformer.{name}"]), name
    assert torch.equal(built.text.projection, tiny_state["text_projection"])
    assert torch.equal(built.text.token_embedding.weight, tiny_state["token_embedding.weight"])


def test_a_file_without_a_backbone_names_its_own(weights_file):
    spec = resolve(None, str(weights_file))
    assert spec.name == "ViT-64x24-14-28"
    assert spec.config.quick_gelu
    assert not spec.shipped
    assert spec.weights.sha256 == hashlib.sha256(weights_file.read_bytes()).hexdigest()


def test_openai_archives_bring_quick_gelu_with_them(tiny_state, write_weights, backbone_file, tmp_path):
    exact = str(backbone_file(quick_gelu=False))
    archive = write_weights(tiny_state, tmp_path, "torchscript")
    plain = write_weights(tiny_state, tmp_path, "safetensors")
    assert build(resolve(exact, str(archive))).activation == "quick_gelu"
    assert build(resolve(exact, str(plain))).activation == "gelu"
    assert build(resolve(exact, str(archive)), activation="gelu").activation == "gelu"
    assert build(resolve(exact, "random"), activation="quick_gelu").activation == "quick_gelu"


def test_the_activation_runs(tiny_file):
    from open_clip.transformer import QuickGELU

    spec = resolve(str(tiny_file), "random")
    for activation, kind in (("quick_gelu", QuickGELU), ("native", QuickGELU), ("gelu", torch.nn.GELU)):
        backbone = build(spec, activation=activation)
        for tower in (backbone.vision.visual, backbone.text):
            assert all(isinstance(block.mlp.gelu, kind) for block in tower.transformer.resblocks)


def test_random_weights_are_reproducible_and_leave_the_generator_alone(tiny_file, backbone_file):
    spec = resolve(str(tiny_file), "random")
    before = torch.get_rng_state()
    first, second = towers(build(spec)), towers(build(spec))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert spec.weights.sha256 == resolve(str(backbone_file()), "random").weights.sha256
    assert spec.weights.sha256 != resolve(str(backbone_file(embed_dim=16)), "random").weights.sha256


def test_missing_weights_say_where_and_how(no_network, tmp_path):
    with pytest.raises(WeightsError) as failure:
        resolve("ViT-L-14-336", None, offline=True)
    message = str(failure.value)
    assert failure.value.exit_code == 4
    assert len(message.splitlines()) == 3
    assert str(tmp_path / "cache" / "weights" / "ViT-L-14-336px.pt") in message
    assert str(tmp_path / ".cache" / "clip") in message
    assert "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02" in message
    assert "--weights PATH" in message


def test_the_hub_switch_for_offline_is_obeyed(no_network, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        WeightsError,
        match=r"no weights 'laion400m_e32' for backbone 'ViT-B-32'\n .*offline\n  what to do: pass --weights PATH",
    ):
        resolve("ViT-B-32", "laion400m_e32")


def test_a_failed_download_says_how_to_get_the_file(no_network, monkeypatch):
    def fail(*_, **__):
        raise OSError("no route to host")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("open_clip.pretrained.download_pretrained", fail)
    with pytest.raises(
        WeightsError, match=r"the download failed \(no route to host\)\n  what to do: get https://openaipublic"
    ):
        resolve("ViT-L-14-336", "openai")


def test_an_unknown_tag_is_refused_before_any_download(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(UsageError, match=r"no weights of 'ViT-B-32' named 'opanai'; did you mean 'openai'\?"):
        resolve("ViT-B-32", "opanai")


def test_cached_openai_weights_are_found(no_network, monkeypatch):
    place = weights.cache_folder() / "weights" / "ViT-B-16.pt"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"<!DOCTYPE html><html>Sign in</html>")
    with pytest.raises(WeightsError, match=r"is not what OpenAI published but a web page: .*remove it to have it"):
        resolve("ViT-B-16", "openai", offline=True)
    place.write_bytes(b"\0anything")
    with pytest.raises(
        WeightsError,
        match=rf"is not what OpenAI published: its SHA-256 is {hashlib.sha256(place.read_bytes()).hexdigest()[:12]}",
    ):
        resolve("ViT-B-16", "openai", offline=True)
    published = (hashlib.sha256(place.read_bytes()).hexdigest(), "ViT-B-16.pt")
    monkeypatch.setitem(weights.OPENAI_FILES, "ViT-B-16", published)
    for name in ("ViT-B-16", "ViT-B-16-quickgelu"):
        spec = resolve(name, "openai", offline=True)
        assert spec.weights.path == place
        assert spec.shipped
        assert spec.config.quick_gelu


@pytest.mark.parametrize("given", ["clip.pt", "some/folder", "~/clip.safetensors"])
def test_a_path_that_is_no_file_is_not_taken_for_a_tag(no_network, given):
    with pytest.raises(
        WeightsError, match=r"are not a file\n  looked for: '/.*\n  what to do: give --weights a file, 'openai' or"
    ):
        resolve("ViT-B-32", given)


def test_weights_of_another_architecture_are_one_clear_line(tiny_state, write_weights, backbone_file, tmp_path):
    path = write_weights(tiny_state, tmp_path, "safetensors")
    shallow, wide = backbone_file(vision={"layers": 12}), backbone_file(embed_dim=48)
    for other, reason in (
        (shallow, r"they have vision layers 24, not 12"),
        (wide, r"they have joint width \d+, not 48"),
    ):
        with pytest.raises(WeightsError, match=reason) as failure:
            resolve(str(other), str(path))
        assert "\n" not in str(failure.value)
        assert str(path) in str(failure.value)


@pytest.mark.parametrize("content", [{"ctx_pos": torch.zeros(2)}, {0: torch.zeros(2)}, {"state_dict": 3}, [1, 2], 7])
def test_a_file_without_a_clip_is_refused(tmp_path, tiny_file, content):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(WeightsError, match=r"holds no CLIP: 'visual.conv1.weight' is missing"):
        resolve(str(tiny_file), str(path))


def test_entries_that_are_no_tensors_are_refused(tmp_path, tiny_file, tiny_state):
    path = tmp_path / "other.pt"
    torch.save({**tiny_state, "ln_final.weight": 3}, path)
    with pytest.raises(WeightsError, match=r"'ln_final.weight' is no tensor"):
        resolve(str(tiny_file), str(path))


@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, tiny_file, tiny_state, value):
    path = tmp_path / "spoilt.pt"
    spoilt = tiny_state["ln_final.weight"].clone()
    spoilt[3] = value
    torch.save({**tiny_state, "ln_final.weight": spoilt}, path)
    with pytest.raises(WeightsError, match=r"spoilt.pt: 'ln_final.weight' holds NaN or infinity"):
        resolve(str(tiny_file), str(path))


def test_bookkeeping_and_an_absent_temperature_do_no_harm(tmp_path, tiny_file, tiny_state):
    trimmed = {name: tensor.contiguous() for name, tensor in tiny_state.items() if name != "logit_scale"}
    path = tmp_path / "trimmed.safetensors"
    save_file({**trimmed, "attn_mask": torch.full((77, 77), -torch.inf), "vocab_size": torch.tensor(49408)}, path)
    built = build(resolve(str(tiny_file), str(path)))
    assert torch.equal(built.vision.projection, tiny_state["visual.proj"])


def test_state_of_takes_the_wrapping_off():
    stem = torch.zeros(1)
    wrapped = {"state_dict": {"module.visual.conv1.weight": stem, "context_length": torch.tensor(77)}}
    assert state_of(wrapped, "w") == {"visual.conv1.weight": stem}


def test_a_tag_in_the_hubs_cache_is_found_offline(no_network, monkeypatch, tmp_path):
    asked = []

    def cached(repository, name, cache_dir=None):
        asked.append((repository, name))
        return str(tmp_path / "found.bin") if name.endswith(".bin") and cache_dir is None else None

    (tmp_path / "found.bin").write_bytes(b"weights")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", cached)
    found = resolve("ViT-B-32", "laion2b_s34b_b79k", offline=True)
    assert found.weights.path == tmp_path / "found.bin"
    assert found.weights.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert not found.config.quick_gelu
    assert {repository for repository, _ in asked} == {"laion/CLIP-ViT-B-32-laion2B-s34B-b79K"}


def test_a_tag_that_was_trained_with_quick_gelu_says_so(no_network, monkeypatch, tmp_path):
    (tmp_path / "found.bin").write_bytes(b"weights")
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: str(tmp_path / "found.bin"))
    assert resolve("ViT-B-32", "metaclip_400m", offline=True).config.quick_gelu


@pytest.mark.parametrize(
    ("name", "openai", "quick", "said"),
    [
        ("ViT-L-14-336", False, True, False),  # nobody else published any
        ("ViT-L-14", True, True, False),
        ("ViT-L-14", False, False, True),
        ("ViT-L-14-quickgelu", False, True, False),
        ("ViT-H-14", False, False, False),
    ],
)
def test_the_activation_of_a_file_is_right_or_said_aloud(name, openai, quick, said, caplog):
    assert trained_with_quick_gelu(find_config(name), openai=openai) is quick
    assert bool(caplog.records) is said
