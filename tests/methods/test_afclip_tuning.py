"""AF-CLIP with a tuned encoder: its definition word for word, what is trained, and numbers that the paper states."""

import pytest
import torch

from zsadbench.clip.config import find_config
from zsadbench.errors import WeightsError
from zsadbench.parity.check import check
from zsadbench.parity.fixture import find_fixtures
from zsadbench.registry import method_card
from zsadbench.types import Batch, OwnEncoding, Taps
from zsadbench_methods.afclip.model import Head
from zsadbench_methods.afclip.options import Options

CARD = method_card("afclip")
NAMES = ["bolt"] * 3
TUNINGS = ("prompt", "prefix", "lora")
SMALL = {"prompt": {"visual_prompts": 3}, "prefix": {"prefix_length": 2}, "lora": {"lora_rank": 4}}


@pytest.fixture(scope="module", params=TUNINGS)
def tuning(request):
    return request.param


@pytest.fixture(scope="module")
def afclip(widened):
    return lambda tuning, **more: widened("afclip", tuning=tuning, **more)


# --- the definition --------------------------------------------------------------------------------


def slow_norm(x, layer):
    centred = x - x.mean(dim=-1, keepdim=True)
    spread = (x.var(dim=-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    return centred / spread * layer.weight.double() + layer.bias.double()


def slow_block(block, x, prefix=None, lora=None):
    """One image through one block, head by head, in double precision; `lora` gives (A, B) of queries and values."""
    attention, width = block.attn, x.shape[-1]
    seen = x if prefix is None else torch.cat([prefix.double(), x])
    h = slow_norm(seen, block.ln_1)
    q, k, v = (h @ attention.in_proj_weight.double().T + attention.in_proj_bias.double()).split(width, dim=-1)
    if lora is not None:
        q = q + h @ (lora["q"][1] @ lora["q"][0]).double().T
        v = v + h @ (lora["v"][1] @ lora["v"][0]).double().T
    q, size = q[len(seen) - len(x) :], attention.head_dim
    parts = [slice(size * head, size * (head + 1)) for head in range(attention.num_heads)]
    heads = [(q[:, part] @ k[:, part].T / size**0.5).softmax(dim=-1) @ v[:, part] for part in parts]
    out = attention.out_proj
    x = x + torch.cat(heads, dim=1) @ out.weight.double().T + out.bias.double()
    mlp = slow_norm(x, block.ln_2) @ block.mlp.c_fc.weight.double().T + block.mlp.c_fc.bias.double()
    mlp = mlp * torch.sigmoid(1.702 * mlp)
    return x + mlp @ block.mlp.c_proj.weight.double().T + block.mlp.c_proj.bias.double()


def slow_layers(detector, image, window):
    """Tokens of one image after every block, with the tuning of the detector; the first block's number is 1."""
    vision, head, options = detector.backbone.vision, detector.network.tuning, detector.options
    x = vision.walk.first_norm(vision.walk.embed(image[None]))[0].double()
    own, layers = len(x), {}
    if options.tuning == "prompt":
        x = torch.cat([x, head.prompts.double()])
    for number, block in enumerate(vision.walk._blocks, start=1):
        prefix = lora = None
        before = [end for end in options.layers if end < number]  # the tiny tower has 24 blocks, as options count
        if options.tuning == "prefix" and number <= max(options.layers):
            prefix = head.prefixes[len(before) * len(options.windows) + window]
        if options.tuning == "lora" and number in options.layers:
            place = options.layers.index(number)
            lora = {"q": (head.q_down[place], head.q_up[place]), "v": (head.v_down[place], head.v_up[place])}
        x = slow_block(block, x, prefix, lora)
        layers[number] = x[:own]
    return layers


@pytest.mark.parametrize("more", [{}, {"layers": (3, 10), "memory_layers": (12,), "windows": (1, 5)}], ids=str)
def test_tokens_are_their_definition(afclip, tiny_images, tuning, more):
    detector = afclip(tuning, **SMALL[tuning], **more)
    with torch.no_grad():
        found = detector.encode(tiny_images, NAMES)
        assert len(found.layers) == len(detector.options.blocks)
        for row, image in enumerate(tiny_images):
            for window in range(len(detector.options.windows)):
                expected = slow_layers(detector, image, window)
                for block, layer in zip(detector.options.blocks, found.layers, strict=True):
                    one = layer[row, window] if tuning == "prefix" else layer[row]
                    assert (one - expected[block]).abs().max() < 2e-4 * expected[block].abs().max(), block


def test_every_window_has_its_own_pass_with_prefixes(afclip, tiny_images):
    with torch.no_grad():
        layers = afclip("prefix").encode(tiny_images, NAMES).layers
    assert [layer.shape for layer in layers] == [(3, 3, 26, 64)] * 4
    assert all((layer[:, 0] - layer[:, 1]).abs().max() > 0.01 for layer in layers)


def test_lora_starts_from_the_plain_encoder(tiny_backbone, tiny_images):
    detector = CARD.build(tiny_backbone, Options(tuning="lora"))
    with torch.no_grad():
        tuned = detector.encode(tiny_images, NAMES)
        plain = tiny_backbone.vision(tiny_images, Taps(Options().blocks))
    assert all(torch.equal(one, other) for one, other in zip(tuned.layers, plain.layers, strict=True))
    untuned = CARD.build(tiny_backbone, Options(tuning="none"))
    untuned.network.prompts.load_state_dict(detector.network.prompts.state_dict())
    with torch.no_grad():
        assert torch.equal(detector.score(tuned, NAMES).pixel, untuned.score(plain, NAMES).pixel)


# --- what the paper states -------------------------------------------------------------------------

PRINTED = {"prompt": (21_504, 287.778), "prefix": (70_656, 836.997), "lora": (2_106_368, 285.362)}


def test_the_published_number_of_parameters_is_trained(large_sizes, tuning):
    head = Head(large_sizes, Options(tuning=tuning))
    assert sum(p.numel() for p in head.parameters() if p.requires_grad) == PRINTED[tuning][0]


def test_the_published_gflops_are_those_of_these_passes(tuning):
    """Table 5 counts MLPs and the embedding of patches, no attention: tokens that take part in no MLP cost nothing."""
    config = find_config("ViT-L-14-336")
    passes = 3 if tuning == "prefix" else 1
    tokens = 1370 + (Options().visual_prompts if tuning == "prompt" else 0)
    image = passes * 24 * tokens * 8 * config.vision.width**2 + 1369 * config.vision.width * 3 * 14**2
    text = 2 * config.text.layers * 77 * 8 * config.text.width**2
    assert (image + text) / 1e9 == pytest.approx(PRINTED[tuning][1], abs=6e-4)


def test_rows_of_table_5_are_run_and_shown_without_a_verdict():
    from zsadbench.compare.paper_rows import find_table, why_left_out

    rows = {row.label: row for row in find_table("afclip:table5").rows}
    assert len(rows) == 4
    assert not any(why_left_out(row) for row in rows.values())
    assert [bool(row.uncertain) for row in rows.values()] == [True, True, True, False]


# --- scoring and training --------------------------------------------------------------------------


def test_the_default_reads_the_shared_encoding(tiny_backbone):
    for options, own in ((Options(), False), (Options(tuning="none"), False), (Options(tuning="lora"), True)):
        assert CARD.taps(options).own_encoding is own
        assert isinstance(CARD.build(tiny_backbone, options), OwnEncoding) is own


def test_images_do_not_influence_each_other(afclip, tiny_images, tuning):
    detector = afclip(tuning)
    with torch.no_grad():
        whole = detector.score(detector.encode(tiny_images, NAMES), NAMES)
        for rows in ([0], [2, 1]):
            some = detector.score(detector.encode(tiny_images[rows], NAMES[: len(rows)]), NAMES[: len(rows)])
            assert (some.image - whole.image[rows]).abs().max() <= 1e-5
            assert (some.pixel - whole.pixel[rows]).abs().max() <= 1e-5
    assert whole.pixel.std() > 1e-3


def test_it_learns_and_every_part_has_a_gradient(tiny_backbone, tiny_images, batch, tuning):
    torch.manual_seed(0)
    detector = CARD.build(tiny_backbone, Options(tuning=tuning))
    optimiser = torch.optim.Adam(detector.network.parameters(), lr=1e-3, betas=CARD.recipe.betas)
    masks = batch._replace(images=tiny_images, masks=batch.masks[:, : tiny_images.shape[-1], : tiny_images.shape[-1]])
    losses = []
    for step in range(6):
        total = sum(detector.loss(detector.encode(tiny_images, NAMES), Batch(*masks)).values())
        losses.append(total.item())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        for name, parameter in detector.network.named_parameters():
            assert parameter.grad is not None, name
            assert step == 0 or parameter.grad.abs().max() > 0, name
    assert losses[-1] < losses[0]
    assert all(parameter.grad is None for parameter in tiny_backbone.vision.parameters())


def test_normal_images_are_remembered_with_the_tuned_encoder(afclip, tiny_images, tuning):
    detector = afclip(tuning)
    with torch.no_grad():
        seen = detector.encode(tiny_images, NAMES)
        zero_shot = detector.score(seen, NAMES)
        detector.remember(detector.encode(tiny_images[:1], NAMES[:1]))
        known = detector.stages(seen, NAMES)
        assert known["memory_score"][0].abs() < 1e-5
        assert known["memory_score"][1:].min() > 1e-3
        detector.remember(detector.encode(tiny_images[:0], []))
        assert torch.equal(detector.score(seen, NAMES).pixel, zero_shot.pixel)


def test_the_published_adapter_is_refused(fixtures_root, tuning):
    (fixture,) = find_fixtures([fixtures_root / "afclip"])
    with pytest.raises(WeightsError, match=r"tensors missing: \['tuning\."):
        check(fixture, [f"tuning={tuning}"])
