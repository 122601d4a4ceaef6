"""The two towers against open_clip's own model and against published tokens."""

import copy
import json

import pytest
import torch
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors.torch import load_file

from zsadbench.clip import build, resolve
from zsadbench.clip.half import keep_half
from zsadbench.types import Taps

SENTENCES = ["a photo of a damaged screw.", "object without defect.", "!"]


@pytest.fixture(scope="module")
def reference(tiny_state):
    """open_clip's own model with the same weights, used the way its users do."""
    vision = CLIPVisionCfg(layers=24, width=64, head_width=64, patch_size=14, image_size=28)
    model = CLIP(32, vision, CLIPTextCfg(width=64, heads=1, layers=2), quick_gelu=True)
    model.load_state_dict(tiny_state)
    return model.eval()


@pytest.fixture(scope="module")
def native(tiny_state, write_weights, tiny_file, tmp_path_factory):
    """Our backbone with those weights, at the native 2 × 2 grid."""
    path = write_weights(tiny_state, tmp_path_factory.mktemp("w"), "safetensors")
    return build(resolve(str(tiny_file), str(path)))


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(2))


def test_taps_are_what_hooks_on_the_blocks_see(reference, native, images):
    seen = []
    hooks = [
        block.register_forward_hook(lambda _, __, out: seen.append(out))
        for block in reference.visual.transformer.resblocks
    ]
    with torch.no_grad():
        reference.encode_image(images)
    for hook in hooks:
        hook.remove()
    tokens = native.vision(images, Taps((1, 6, 12, 18, 24)))
    assert tokens.grid == 2
    for block, layer in zip((1, 6, 12, 18, 24), tokens.layers, strict=True):
        assert layer.dtype == torch.float32
        assert torch.allclose(layer, seen[block - 1], atol=1e-5)


def test_the_last_class_token_finished_is_the_image_feature(reference, native, images):
    last = native.vision(images, Taps((24,))).layers[0]
    feature = native.vision.norm(last[:, 0]) @ native.vision.projection
    assert torch.allclose(feature, reference.encode_image(images), atol=1e-5)


def test_sentence_features_are_open_clips(reference, native):
    from open_clip.tokenizer import SimpleTokenizer

    ids = native.text.tokenize(SENTENCES)
    assert torch.equal(ids, SimpleTokenizer()(SENTENCES))
    assert torch.allclose(native.text.sentence_features(SENTENCES), reference.encode_text(ids), atol=1e-5)


def test_causal_text_does_not_look_ahead_and_bidirectional_text_does(native):
    text = native.text
    one, other = text.embed(text.tokenize(["object without defect.", "object without a big defect."]))
    shared = 3  # start, "object", "without"
    assert torch.equal(one[:shared], other[:shared])
    both = torch.stack([one, other])
    causal, free = text(both), text(both, causal=False)
    assert torch.allclose(causal[0, :shared], causal[1, :shared], atol=1e-6)
    assert (free[0, :shared] - free[1, :shared]).abs().max() > 1e-4


def test_gradients_pass_through_the_text_tower_and_stay_out_of_it(native):
    embeddings = native.text.embed(native.text.tokenize(SENTENCES)).requires_grad_()
    native.text(embeddings, causal=False).square().sum().backward()
    assert embeddings.grad.abs().sum() > 0
    for tower in (native.vision, native.text):
        assert not tower.training
        assert all(not parameter.requires_grad and parameter.grad is None for parameter in tower.parameters())


def test_the_tower_stops_at_the_last_tap(native, images):
    ran = []
    blocks = native.vision.visual.transformer.resblocks
    hooks = [block.mlp.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, block in enumerate(blocks, start=1)]
    native.vision(images, Taps((2, 6)))
    for hook in hooks:
        hook.remove()
    assert ran == [1, 2, 3, 4, 5, 6]


def test_images_do_not_influence_each_other(tiny_backbone, tiny_images):
    taps = Taps((12, 24))
    together = tiny_backbone.vision(tiny_images, taps)
    for row in range(3):
        alone = tiny_backbone.vision(tiny_images[row : row + 1], taps)
        for one, all_ in zip(alone.layers, together.layers, strict=True):
            assert torch.allclose(one[0], all_[row], atol=1e-5)


def test_lower_precision_still_hands_out_single_precision(native, images):
    exact = native.vision(images, Taps((24,))).layers[0]
    rough = native.vision(images, Taps((24,)), torch.bfloat16).layers[0]
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert torch.allclose(rough, exact, atol=0.2)


def test_the_position_rule_reaches_the_tokens(tiny_file, tiny_backbone, tiny_images):
    spec = resolve(str(tiny_file), "random")
    bilinear = tiny_backbone.vision(tiny_images, Taps((1,))).layers[0]
    bicubic = build(spec, 70, position="bicubic").vision(tiny_images, Taps((1,))).layers[0]
    assert (bilinear - bicubic)[:, 1:].abs().max() > 1e-4
    assert tiny_backbone.grid == 5


def slow_value_path(native, images, start):
    """The value-value path word for word: head by head, on the tokens of the plain path."""
    plain = native.vision(images, Taps(tuple(range(1, 25)))).layers
    value, found = plain[start - 2], {}
    for number, block in enumerate(native.vision.visual.transformer.resblocks, start=1):
        if number < start:
            continue
        z, attn = block.ln_1(plain[number - 2]), block.attn
        v = z @ attn.in_proj_weight[128:].T + attn.in_proj_bias[128:]
        heads = []
        for head in range(attn.num_heads):
            part = v[..., 64 * head : 64 * head + 64]
            heads.append((part @ part.transpose(1, 2) / 8).softmax(dim=-1) @ part)
        value = value + torch.cat(heads, dim=-1) @ attn.out_proj.weight.T + attn.out_proj.bias
        found[number] = value
    return found


@pytest.mark.parametrize("start", [2, 6, 20])
def test_the_value_path_is_its_definition(native, images, start):
    slow = slow_value_path(native, images, start)
    tokens = native.vision(images, Taps((), value_blocks=(20, 22, 24), value_from=start))
    assert tokens.layers == ()
    for block, layer in zip((20, 22, 24), tokens.value_layers, strict=True):
        assert layer.dtype == torch.float32
        assert torch.allclose(layer, slow[block], atol=1e-5)


def test_the_value_path_leaves_the_plain_one_alone_bit_by_bit(native, images):
    alone = native.vision(images, Taps((6, 24)))
    both = native.vision(images, Taps((6, 24), value_blocks=(24,)))
    assert all(torch.equal(one, other) for one, other in zip(alone.layers, both.layers, strict=True))
    assert alone.value_layers == ()
    assert (both.value_layers[0] - both.layers[1]).abs().max() > 1e-3


def slow_deep_text(text, embeddings, deep):
    tokens = embeddings + text.positional_embedding
    for number, block in enumerate(text.transformer.resblocks):
        if number > 0:
            tokens = tokens.clone()
            for row in range(len(tokens)):
                for place in range(deep[number - 1].shape[1]):
                    tokens[row, 1 + place] = deep[number - 1][row, place]
        tokens = block(tokens, attn_mask=text.causal_mask)
    return text.norm(tokens)


def test_deep_prompts_take_the_place_of_tokens_before_their_block(native):
    text = native.text
    embeddings = text.embed(text.tokenize(SENTENCES))
    deep = [torch.randn(3, 2, 64, generator=torch.Generator().manual_seed(5)).requires_grad_()]
    states = text(embeddings, deep=deep)
    assert torch.allclose(states, slow_deep_text(text, embeddings, deep), atol=1e-5)
    assert (states - text(embeddings))[:, 3:].abs().max() > 1e-3
    assert torch.equal(states[:, 0], text(embeddings)[:, 0]), "the start token sees none of them"
    assert torch.equal(states, text(embeddings, deep=[*deep, *deep])), "this tower has one block after the first"
    states.sum().backward()
    assert deep[0].grad.abs().min() > 0


def test_a_causal_tower_needs_no_token_after_the_last_one_that_is_read(native):
    text = native.text
    embeddings = text.embed(text.tokenize(SENTENCES))
    assert torch.allclose(text(embeddings[:, :9]), text(embeddings)[:, :9], atol=1e-5)


def published(fixtures_root, name):
    folder = fixtures_root / name
    fixture = json.loads((folder / "fixture.json").read_text())
    return fixture, load_file(folder / "inputs.safetensors")["images"], load_file(folder / "expected.safetensors")


def test_published_value_tokens(fixtures_root, oracle_backbone):
    fixture, images, expected = published(fixtures_root, "anomalyclip")
    blocks = tuple(fixture["options"]["layers_4layers"])
    vision = oracle_backbone(fixture["image_size"]).vision
    tokens = vision(images[:1], Taps((24,), value_blocks=blocks, value_from=26 - fixture["options"]["dpam_layer"]))
    for block, layer in zip(blocks, tokens.value_layers, strict=True):
        found = vision.norm(layer) @ vision.projection
        assert (found - expected[f"dpam_tokens_l{block:02d}"]).abs().max() < 3e-5
    cls = vision.norm(tokens.layers[0][:, 0]) @ vision.projection
    raw = tokens.layers[0][:, 0] @ vision.projection
    assert (raw - expected["image_features"][:1]).abs().max() < 3e-5
    assert (cls - expected["image_features"][:1]).abs().max() > 1e-2


@pytest.mark.parametrize("name", ["fbclip", "afclip"])
def test_published_tokens(fixtures_root, oracle_backbone, name):
    fixture, images, expected = published(fixtures_root, name)
    blocks = tuple(fixture["options"]["layers"])
    tokens = oracle_backbone(fixture["image_size"]).vision(images[:1], Taps(blocks))
    for block, layer in zip(blocks, tokens.layers, strict=True):
        assert (layer - expected[f"vision_tokens_l{block:02d}"]).abs().max() < 3e-5


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16], ids=str)
def test_weights_kept_in_half_give_the_very_tokens_of_autocast(tiny_backbone, tiny_images, precision):
    half = copy.deepcopy(tiny_backbone.vision)
    keep_half(half, precision)
    kept = {name: one.dtype for name, one in half.named_parameters()}
    assert {one for name, one in kept.items() if "resblocks" in name and "ln_" not in name} == {precision}
    assert kept["visual.proj"] == kept["visual.ln_pre.weight"] == torch.float32
    taps = Taps((1, 12, 24), value_blocks=(12, 24))
    with torch.inference_mode():
        expected = tiny_backbone.vision(tiny_images, taps, precision)
        found = half(tiny_images, taps, precision)
    for one, other in zip(expected.layers + expected.value_layers, found.layers + found.value_layers, strict=True):
        assert torch.equal(one, other)


def test_single_precision_keeps_its_weights(tiny_backbone):
    tower = copy.deepcopy(tiny_backbone.vision)
    keep_half(tower, torch.float32)
    assert {one.dtype for one in tower.parameters()} == {torch.float32}
