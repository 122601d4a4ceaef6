"""Image–text pairs on encoders of timm: a pair like EVA, with CLIP's tokenizer, and one like SigLIP, with its own."""

import json
import math
from functools import partial

import pytest
import torch
from open_clip.timm_model import TimmModel
from timm.models import create_model, register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from zsadbench import registry
from zsadbench.clip import build, resolve
from zsadbench.clip.config import find_config
from zsadbench.clip.macs import text_macs, tower_macs
from zsadbench.clip.timm_models.pair_sources import PARTS, new_pair_tower
from zsadbench.errors import UsageError, WeightsError
from zsadbench.types import Taps

TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
SIGLIP_TEXT = {**TEXT, "context_length": 16, "no_causal_mask": True, "proj_bias": True, "pool_type": "last"}
SIGLIP_TEXT |= {"norm_kwargs": {"eps": 1e-6}, "act_kwargs": {"approximate": "tanh"}, "mlp_ratio": 3.7}
SIGLIP_TEXT |= {"hf_tokenizer_name": "nobody/nowhere", "tokenizer_kwargs": {"clean": "canonicalize"}}
SIZES = {"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 6, "num_heads": 2}
PAIRS = {
    "small-eva": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "timm_model_name": "small_eva", "timm_pool": "token", "timm_proj": None},
        "text_cfg": TEXT,
    },
    "small-siglip": {
        "embed_dim": 32,
        "init_logit_bias": -10,
        "vision_cfg": {"image_size": 32, "timm_model_name": "small_siglip", "timm_pool": "map", "timm_proj": "none"},
        "text_cfg": SIGLIP_TEXT,
    },
}


@pytest.fixture(scope="module", autouse=True)
def architectures(tmp_path_factory):
    """Two small architectures of timm, and two pairs in the place of those of open_clip."""

    def small_eva(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **settings):
        return Eva(**{**SIZES, "use_rot_pos_emb": True, "swiglu_mlp": True, "ref_feat_shape": (4, 4), **settings})

    def small_siglip(pretrained=False, pretrained_cfg=None, pretrained_cfg_overlay=None, cache_dir=None, **settings):
        return VisionTransformer(**{**SIZES, "class_token": False, **settings})

    for function in (small_eva, small_siglip):
        function.__module__ = "timm.models.vision_transformer"
        register_model(function)
    folder = tmp_path_factory.mktemp("model_configs")
    for name, raw in PAIRS.items():
        (folder / f"{name}.json").write_text(json.dumps(raw))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zsadbench.clip.sizes.shipped_folder", lambda: folder)
        patch.setattr("zsadbench.clip.config.shipped_folder", lambda: folder)
        yield folder


@pytest.fixture(scope="module")
def pair():
    """`pair(name, size)`: the backbone with random values."""
    return lambda name, size=None, **settings: build(resolve(name, "random"), size, **settings)


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))


def test_the_small_pairs_stand_for_the_published_ones():
    assert create_model("small_eva", num_classes=0).blocks[0].mlp.__class__.__name__ == "GluMlp"
    eva, siglip = find_config("small-eva"), find_config("small-siglip")
    assert (eva.kind, siglip.kind) == ("image-text", "image-text")
    assert (eva.pool, siglip.pool) == ("token", "map")
    assert (eva.vision.class_token, siglip.vision.class_token) == (True, False)
    assert (eva.rules.causal, siglip.rules.causal) == (True, False)
    assert resolve("small-eva", "random").shipped


@pytest.mark.parametrize("name", PAIRS)
def test_the_image_feature_is_that_of_open_clip(pair, images, name):
    vision = pair(name).vision
    with torch.inference_mode():
        joint = vision.joint(vision(images, Taps((24,))).layers[0])
        assert isinstance(vision.visual, TimmModel)
        expected = vision.visual(images)
    assert joint.shape == (2, 1 + 4 * 4, PAIRS[name]["embed_dim"])
    assert torch.allclose(joint[:, 0], expected, atol=1e-6)
    assert not torch.allclose(joint[:, 1], joint[:, 2], atol=1e-5)


def test_the_feature_of_a_patch_is_that_of_an_image_of_this_patch_alone(pair, images):
    vision = pair("small-siglip").vision
    trunk = vision.trunk
    with torch.inference_mode():
        raw = vision(images, Taps((24,))).layers[0]
        joint = vision.joint(raw)
        for patch in (0, 7):
            alone = trunk.forward_head(trunk.norm(raw[:, 1 + patch : 2 + patch]))
            assert torch.allclose(joint[:, 1 + patch], alone, atol=1e-6)


@pytest.mark.parametrize("name", PAIRS)
def test_text_features_are_those_of_open_clip(pair, name):
    backbone, length = pair(name), PAIRS[name]["text_cfg"]["context_length"]
    ids = torch.randint(1, 49000, (3, length), generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = new_pair_tower(backbone.spec.config, "text").eval()
    with torch.inference_mode():
        assert torch.allclose(backbone.text.features_of(ids), expected(ids), atol=1e-6)
    assert backbone.text.projection.shape == (32, PAIRS[name]["embed_dim"])


def test_a_pair_with_clip_s_tokenizer_reads_sentences(pair):
    text = pair("small-eva").text
    with torch.inference_mode():
        one, two = text.sentence_features(["a photo of a bolt.", "a photo of a damaged bolt."])
    assert one.shape == (24,)
    assert not torch.allclose(one, two, atol=1e-4)


def test_another_tokenizer_is_missing_or_used(pair, monkeypatch):
    text = pair("small-siglip").text
    with pytest.raises(WeightsError, match=r"the tokenizer 'nobody/nowhere' of the text tower (needs|is not here)"):
        text.sentence_features(["a photo of a bolt."])
    called = []

    def tokenizer(sentences, length):
        called.append((sentences, length))
        return torch.full((len(sentences), length), 7)

    monkeypatch.setattr("zsadbench.clip.timm_models.text.load_tokenizer", lambda rules: tokenizer)
    assert text.sentence_features(["a photo of a bolt."]).shape == (1, 32)
    assert called == [(["a photo of a bolt."], 16)]


@pytest.mark.parametrize("name", PAIRS)
def test_a_file_gives_both_towers_and_the_temperature(pair, name, images, tmp_path):
    generator = torch.Generator().manual_seed(9)
    config = find_config(name)
    state = {
        f"{prefix}{key}": 0.1 * torch.randn(value.shape, generator=generator)
        for tower, prefix in PARTS.items()
        for key, value in new_pair_tower(config, tower).state_dict().items()
    }
    logits = {"logit_scale": torch.tensor(math.log(100.0)), "logit_bias": torch.tensor(-12.0)}
    torch.save({"state_dict": {f"module.{key}": value for key, value in (state | logits).items()}}, tmp_path / "w.pt")
    backbone = build(resolve(name, str(tmp_path / "w.pt")))
    assert backbone.logit_scale == pytest.approx(math.log(100))
    assert backbone.logit_bias == (-12.0 if name == "small-siglip" else None)
    for tower, prefix in ((backbone.vision.visual, "visual."), (backbone.text.transformer, "text.transformer.")):
        assert all(torch.equal(value, state[prefix + key]) for key, value in tower.state_dict().items())
    backbone.release_text()
    assert torch.equal(backbone.text.token_embedding.weight, state["text.token_embedding.weight"])
    with torch.inference_mode():
        assert not torch.allclose(
            backbone.vision(images, Taps((24,))).layers[0], pair(name).vision(images, Taps((24,))).layers[0], atol=1e-2
        )
    del state["text.ln_final.bias"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"tensors missing: \['text.ln_final.bias'\]"):
        resolve(name, str(tmp_path / "w.pt"))
    torch.save({"visual.conv1.weight": torch.ones(1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=f"holds no pair like '{name}'"):
        resolve(name, str(tmp_path / "w.pt"))


@pytest.mark.parametrize("name", PAIRS)
def test_plain_clip_runs_on_a_pair_with_the_temperature_of_its_weights(pair, images, name, monkeypatch):
    def tokenizer(sentences, length):
        return torch.tensor([[len(sentence) + k for k in range(length)] for sentence in sentences])

    monkeypatch.setattr("zsadbench.clip.timm_models.text.load_tokenizer", lambda rules: tokenizer)
    card, backbone = registry.method_card("clip"), pair(name)
    options = card.options(temperature=0)
    method = card.build(backbone, options)
    with torch.inference_mode():
        tokens = backbone.vision(images, card.taps(options))
        scores = method.score(tokens, ["bolt", "nut"])
        image = normalize(backbone.vision.visual(images)[0], dim=-1)
        texts = backbone.text.sentence_features(["a photo of a normal bolt.", "a photo of a damaged bolt."])
        expected = (normalize(texts, dim=-1) @ image / 0.07).softmax(dim=0)[1]
    assert scores.image[0] == pytest.approx(float(expected), abs=1e-5)
    assert scores.pixel.shape == (2, 4, 4)
    assert card.kinds == ("clip", "image-text")


def test_initial_temperatures(pair):
    assert [pair(name).logit_scale for name in PAIRS] == [math.log(1 / 0.07)] * 2
    assert [pair(name).logit_bias for name in PAIRS] == [None, -10.0]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("size", [32, 48])
def test_multiply_accumulates_of_a_pair(pair, name, size):
    backbone = pair(name, size)
    config, grid = backbone.spec.config, size // 8
    vision, text, images = backbone.vision, backbone.text, torch.zeros(2, 3, size, size)

    def counted(call):
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.enable_grad():
            result = call()
        return counter.get_total_flops() / 2, result

    macs, tokens = counted(lambda: vision(images, Taps((24,))))
    assert macs == 2 * tower_macs(config, size, Taps((24,)))
    macs, _ = counted(partial(vision.joint, tokens.layers[0]))
    assert macs == 2 * config.joint_macs(grid**2)
    states = torch.zeros(2, config.text.context_length, 32, requires_grad=True)  # no fast path that hides products
    assert counted(partial(text, states, causal=False))[0] == text_macs(config, 2)
    parameters = sum(value.numel() for tower in (vision.visual, text) for value in tower.parameters())
    assert backbone.count_parameters() == parameters


@pytest.mark.parametrize("name", PAIRS)
def test_half_precision_leaves_the_head_exact(pair, images, name):
    vision = pair(name, precision=torch.bfloat16).vision
    with torch.inference_mode():
        joint = vision.joint(vision(images, Taps((24,)), torch.bfloat16).layers[0])
        exact = pair(name).vision.joint(pair(name).vision(images, Taps((24,))).layers[0])
    assert joint.dtype == torch.float32
    assert 0 < (joint - exact).abs().max() < 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timm_pool": "avg"}, "is no pair of two transformers"),
        ({"timm_proj": "mlp"}, "is no pair of two transformers"),
        ({"timm_drop": 0.5}, "is no pair of two transformers"),
        ({"timm_model_name": "small_eva", "timm_pool": "map", "timm_proj": "none"}, "pools other tokens than patches"),
        ({"timm_model_name": "resnet18", "timm_pool": "token"}, "timm cannot build 'resnet18'|no plain vision"),
    ],
)
def test_other_pairs_are_refused(architectures, changes, message):
    raw = PAIRS["small-eva"]
    content = {**raw, "vision_cfg": {**raw["vision_cfg"], **changes}}
    (architectures / "other.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=message):
        find_config("other")
