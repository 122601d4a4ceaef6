"""AF-CLIP word for word: slow, windows and heads one by one, in double precision, then compared."""

from math import exp

import pytest
import torch

from zsadbench import registry
from zsadbench.errors import UsageError
from zsadbench_methods.afclip.adapter import Adapter
from zsadbench_methods.afclip.aggregation import aggregate, band
from zsadbench_methods.afclip.fused import attend, project_qkv
from zsadbench_methods.afclip.memory import bank_of, distance
from zsadbench_methods.parts.nearest import nearest_cosine

NAMES = ["bolt"] * 3


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def afclip(widened):
    return lambda **options: widened("afclip", **options)


@pytest.fixture(scope="module")
def tokens(make_tokens):
    return make_tokens(layers=4)


# --- the definition --------------------------------------------------------------------------------


def slow_aggregate(tokens, grid, window, sigma, *, renormalise):
    """Every patch as the weighted mean of the window around it, offset by offset."""
    reach, out = window // 2, tokens.double().clone()
    offsets = range(-reach, reach + 1)
    weights = {(i, j): exp(-(i * i + j * j) / (2 * sigma**2)) for i in offsets for j in offsets}
    for row in range(grid):
        for column in range(grid):
            total, weight = torch.zeros_like(out[:, 0]), 0.0
            for (i, j), w in weights.items():
                if 0 <= row + i < grid and 0 <= column + j < grid:
                    total += w * tokens[:, 1 + (row + i) * grid + column + j].double()
                    weight += w
            out[:, 1 + row * grid + column] = total / (weight if renormalise else sum(weights.values()))
    return out


def slow_norm(x, layer):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.var(dim=-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias


def slow_adapter(adapter, z):
    h = slow_norm(z, adapter.norm)
    q, k, v = (h @ layer.weight.double().T for layer in (adapter.to_q, adapter.to_k, adapter.to_v))
    heads = []
    for head in range(8):
        part = slice(64 * head, 64 * head + 64)
        heads.append((q[:, part] @ k[:, part].T * 64**-0.5).softmax(dim=-1) @ v[:, part])
    return torch.cat(heads, dim=1) @ adapter.to_out.weight.double().T + adapter.to_out.bias


def slow_text(detector):
    """Both sentences over all 77 places, the prefix before the start token, what is then too long cut off."""
    text, prompts, options = detector.backbone.text, detector.network.prompts, detector.options
    rows = []
    for words in (options.normal, options.abnormal):
        ids = text.tokenize([words])
        parts = [prompts.context[None], text.embed(ids)]
        if options.context_place == "after_start":
            parts = [text.embed(ids)[:, :1], prompts.context[None], text.embed(ids)[:, 1:]]
        x = torch.cat(parts, dim=1)[:, :77] + text.positional_embedding
        for block in text.transformer.resblocks:
            x = block(x, attn_mask=text.causal_mask)
        feature = text.norm(x[0, options.context + int(ids.argmax())]) @ text.projection
        rows.append(feature / feature.norm())
    return torch.stack(rows).double()


def slow_scores(detector, tokens):
    text, options, vision = slow_text(detector), detector.options, detector.backbone.vision
    images, maps = [], []
    for b in range(len(tokens.layers[0])):
        sums = torch.zeros(1 + tokens.grid**2, 2, dtype=torch.float64)
        for block, layer in zip(options.blocks, tokens.layers, strict=True):
            if block not in options.layers:
                continue
            for window in options.windows:
                z = slow_aggregate(
                    layer[b : b + 1],
                    tokens.grid,
                    window,
                    options.window_sigma,
                    renormalise=options.renormalise_border,
                )[0]
                adapted = slow_adapter(detector.network.adapter, z) if options.adapter else z
                y = slow_norm(adapted, vision.norm) @ vision.projection.double()
                sums += y / y.norm(dim=-1, keepdim=True) @ text.T / options.temperature
        probability = sums.softmax(dim=-1)[:, 1]
        images.append(probability[0])
        maps.append(probability[1:].reshape(tokens.grid, tokens.grid))
    return torch.stack(images), torch.stack(maps)


SETTINGS = [
    {},
    {"layers": (6, 12), "memory_layers": (18, 24), "windows": (3,), "window_sigma": 0.7},
    {"renormalise_border": True, "windows": (1, 7), "temperature": 0.5},
    {"context_place": "after_start", "context": 3, "normal": "good.", "abnormal": "very bad."},
    {"tuning": "none", "context": 0, "windows": (1,)},
]


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_scores_are_their_definition(afclip, tokens, options):
    detector = afclip(**options)
    with torch.no_grad():
        image, pixel = slow_scores(detector, tokens)
        found = detector.score(tokens, NAMES)
    assert (found.image - image).abs().max() < 5e-5
    assert (found.pixel - pixel).abs().max() < 5e-5
    assert pixel.std() > 0.01


@pytest.mark.parametrize("options", SETTINGS, ids=str)
def test_text_features_are_their_definition(afclip, options):
    detector = afclip(**options)
    with torch.no_grad():
        assert (detector.text_features() - slow_text(detector)).abs().max() < 5e-6


@pytest.mark.parametrize("renormalise", [False, True])
@pytest.mark.parametrize(("grid", "window"), [(5, 1), (5, 3), (5, 5), (6, 5), (2, 5), (1, 3)])
def test_aggregation(grid, window, renormalise):
    tokens = random(2, 1 + grid * grid, 8)
    found = aggregate(tokens, grid, window, 1.5, renormalise=renormalise)
    slow = slow_aggregate(tokens, grid, window, 1.5, renormalise=renormalise)
    assert (found - slow).abs().max() < 1e-6
    assert torch.equal(found[:, 0], tokens[:, 0])


def test_the_published_kernel():
    filter_ = band(9, 5, 4.0, renormalise=False)
    assert filter_[4, 2:7].tolist() == pytest.approx([0.1876272, 0.2060681, 0.2126094, 0.2060681, 0.1876272], abs=1e-7)
    assert band(9, 3, 4.0, renormalise=False)[4, 3:6].tolist() == pytest.approx(
        [0.3298432, 0.3403136, 0.3298432], abs=1e-7
    )
    assert torch.equal(filter_, filter_.T)
    assert filter_[0].sum() < 0.65, "zeros fill the window up at the border"
    assert band(9, 5, 4.0, renormalise=True).sum(dim=1).tolist() == pytest.approx([1.0] * 9)


def test_adapter():
    adapter = Adapter(48)
    z = random(2, 7, 48)
    with torch.no_grad():
        readable, fused = adapter(z), attend(adapter, z, project_qkv(adapter, z))
        for row in range(2):
            expected = slow_adapter(adapter, z[row].double())
            assert (readable[row] - expected).abs().max() < 1e-5
            assert (fused[row] - expected).abs().max() < 1e-5


def test_the_fused_adapter_agrees_with_the_module_on_every_token_set(afclip, tokens):
    detector = afclip()
    with torch.no_grad():
        for token_set in detector.token_sets(tokens):
            readable = detector.network.adapter(token_set.tokens)
            assert torch.allclose(detector.adapt(token_set), readable, atol=1e-4), (token_set.block, token_set.window)


# --- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_nearest_neighbours_in_blocks_are_those_of_the_whole_matrix(block):
    rows = torch.nn.functional.normalize(random(50, 16), dim=-1)
    bank = torch.nn.functional.normalize(random(83, 16, seed=1), dim=-1)
    whole = (rows @ bank.T).amax(dim=1)
    assert torch.allclose(nearest_cosine(rows, bank, block), whole, atol=1e-6)


def test_a_bank_holds_unit_patches_image_after_image():
    tokens = random(2, 5, 8)
    bank = bank_of(tokens)
    assert bank.shape == (8, 8)
    for row, (image, patch) in enumerate([(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3), (1, 4)]):
        assert torch.allclose(bank[row], tokens[image, patch] / tokens[image, patch].norm(), atol=1e-6)


def test_distance_is_zero_at_home_and_one_at_the_antipode():
    tokens = random(1, 5, 8)
    assert distance(tokens, bank_of(tokens)).abs().max() < 1e-6
    assert (distance(-tokens, bank_of(tokens[:, [0, 2]]))[0, 1] - 1).abs() < 1e-6


def slow_memory(options, support, tokens):
    """Unblocked, patch by patch: (1 − largest cosine)/2, averaged over layers and windows."""
    maps = torch.zeros(len(tokens.layers[0]), tokens.grid**2, dtype=torch.float64)
    sets = 0
    for block, known, seen in zip(options.blocks, support.layers, tokens.layers, strict=True):
        if block not in options.memory_layers:
            continue
        for window in options.windows:
            how = {"grid": tokens.grid, "window": window, "sigma": options.window_sigma, "renormalise": False}
            bank = slow_aggregate(known, **how)[:, 1:].flatten(0, 1)
            query = slow_aggregate(seen, **how)[:, 1:]
            for b in range(len(query)):
                for p, patch in enumerate(query[b]):
                    cosines = bank @ patch / (bank.norm(dim=-1) * patch.norm())
                    maps[b, p] += (1 - cosines.max()) / 2
            sets += 1
    return (maps / sets).reshape(-1, tokens.grid, tokens.grid)


@pytest.mark.parametrize("options", [{}, {"memory_layers": (12,), "image_alpha": 0.5, "pixel_alpha": 0.0}], ids=str)
def test_few_shot_scores_are_their_definition(afclip, tokens, make_tokens, options):
    detector, support = afclip(**options), make_tokens(seed=3, batch=2, layers=4)
    with torch.no_grad():
        zero_shot = detector.score(tokens, NAMES)
        detector.remember(support)
        found = detector.score(tokens, NAMES)
    memory, used = slow_memory(detector.options, support, tokens), detector.options
    assert (found.pixel - (memory + used.pixel_alpha * zero_shot.pixel)).abs().max() < 1e-5
    assert (found.image - (memory.amax(dim=(1, 2)) + used.image_alpha * zero_shot.image)).abs().max() < 1e-5


def test_more_shots_never_make_a_patch_stranger(afclip, tokens, make_tokens):
    detector, support = afclip(pixel_alpha=0.0), make_tokens(seed=3, batch=4, layers=4)
    maps = []
    with torch.no_grad():
        for shots in (1, 2, 4):
            detector.remember(support._replace(layers=tuple(layer[:shots] for layer in support.layers)))
            maps.append(detector.score(tokens, NAMES).pixel)
    assert (maps[0] >= maps[1] - 1e-6).all()
    assert (maps[1] >= maps[2] - 1e-6).all()
    assert (maps[0] - maps[2]).max() > 1e-3


@pytest.mark.parametrize("options", [{}, {"windows": (1, 7), "window_sigma": 2.0, "renormalise_border": True}])
def test_the_memory_alone_is_afclip_without_a_share_of_zero_shot(afclip, tokens, make_tokens, options):
    """Of CLIP; image encoders without text give their tokens the same way."""
    card, support, found = registry.method_card("afclip-memory"), make_tokens(seed=3, batch=2, layers=4), []
    alone = card.build(None, card.options(**options))
    with torch.no_grad():
        for detector in (afclip(image_alpha=0.0, pixel_alpha=0.0, **options), alone):
            detector.remember(support)
            found.append(detector.score(tokens, NAMES))
    assert torch.equal(found[0].image, found[1].image)
    assert torch.equal(found[0].pixel, found[1].pixel)
    alone.remember(support._replace(layers=tuple(layer[:0] for layer in support.layers)))
    with pytest.raises(UsageError, match="pass --shots"):
        alone.score(tokens, NAMES)
