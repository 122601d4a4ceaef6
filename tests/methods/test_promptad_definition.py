"""PromptAD word for word from its description, slowly, against the implementation."""

from math import cos, pi

import pytest
import torch
from torch.nn.functional import interpolate, softmax

from zsadbench.engine.learn.loop import make_optimiser, set_learning_rate
from zsadbench.errors import UsageError
from zsadbench.registry import method_card
from zsadbench.types import Batch
from zsadbench_methods.promptad.model import place_memory
from zsadbench_methods.promptad.sentences import GENERIC, OF_CLASS, sentences_of, states_of

CARD = method_card("promptad")
NUT = ("metal_nut",) * 3


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


@pytest.fixture
def make(tiny_backbone):
    def build(**options):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            return CARD.build(tiny_backbone, CARD.options(**options))

    return build


@pytest.fixture
def seen(make, tiny_images):
    with torch.no_grad():
        return make().encode(tiny_images, NUT)


# --- both paths ------------------------------------------------------------------------------------


def attention(block, x, *, values):
    """The attention of a block on LN₁(x), one head at a time."""
    attn, normed = block.attn, block.ln_1(x)
    q, k, v = (normed @ w.T + b for w, b in zip(attn.in_proj_weight.chunk(3), attn.in_proj_bias.chunk(3), strict=True))
    heads = []
    for rows in torch.arange(q.shape[-1]).chunk(attn.num_heads):
        left, right = (v, v) if values else (q, k)
        weights = softmax(left[..., rows] @ right[..., rows].transpose(1, 2) / len(rows) ** 0.5, dim=-1)
        heads.append(weights @ v[..., rows])
    return attn.out_proj(torch.cat(heads, dim=-1))


def test_both_paths_and_what_is_remembered(tiny_backbone, tiny_images, seen):
    visual = tiny_backbone.vision.visual
    with torch.no_grad():
        patches = visual.conv1(tiny_images).flatten(2).transpose(1, 2)
        x = torch.cat([visual.class_embedding.expand(3, 1, -1), patches], dim=1) + tiny_backbone.vision.positions
        o = s = visual.ln_pre(x)
        halves = []
        for block in visual.transformer.resblocks:
            h = o + attention(block, o, values=False)
            s = s + attention(block, o, values=True)
            o = h + block.mlp(block.ln_2(h))
            halves.append(h)
    assert torch.allclose(seen.parts["plain"], o, atol=2e-5)
    assert torch.allclose(seen.parts["values"], s[:, 1:], atol=2e-5)
    for name, number in (("memory_1", 4), ("memory_2", 9)):
        assert torch.allclose(seen.parts[name], halves[number - 1], atol=2e-5)


def test_what_would_be_remembered_without_the_effect_of_the_published_code(make, tiny_backbone, tiny_images, seen):
    plain = tiny_backbone.vision(tiny_images, CARD.taps(CARD.options()).__class__((3, 8)))
    entering = make(memory_point="input").encode(tiny_images, NUT)
    for name, tokens in zip(("memory_1", "memory_2"), plain.layers, strict=True):
        assert torch.allclose(entering.parts[name], tokens, atol=2e-5)
        assert (seen.parts[name] - tokens).abs().max() > 1e-2


def test_without_the_second_path_patches_are_those_of_the_first(make, tiny_images):
    tokens = make(values=False).encode(tiny_images, NUT)
    assert torch.equal(tokens.parts["values"], tokens.parts["plain"][:, 1:])


def test_blocks_of_towers_of_other_depths():
    assert place_memory((4, 9), 12) == place_memory((4, 9), 24) == (4, 9)
    assert place_memory((4, 9), 6) == (2, 5)
    for blocks, depth in (((4, 30), 24), ((4, 5), 2)):
        with pytest.raises(UsageError, match="memory_blocks"):
            place_memory(blocks, depth)


# --- sentences -------------------------------------------------------------------------------------


def test_the_sentences_of_a_class():
    normal, manual, learned = sentences_of("metal_nut", CARD.options(), 3)
    assert [s.text for s in normal] == ["N N N N metal nut."] * 3
    assert [s.normal for s in normal] == [0, 1, 2]
    states = [*GENERIC, "{} with a bent shape", "{} with color stain", "{} with a flipped orientation"]
    assert [s.text for s in manual[::3]] == [f"N N N N {s.format('metal nut')}." for s in [*states, "{} with scratch"]]
    assert [s.normal for s in manual] == [0, 1, 2] * 12
    assert {s.text for s in learned} == {"N N N N A metal nut."}
    assert [(s.normal, s.abnormal) for s in learned] == [(j % 3, j % 4) for j in range(12)]


def test_pairs_of_contexts():
    two = [(s.normal, s.abnormal) for s in sentences_of("screw", CARD.options(), 2)[2]]
    assert len(two) == 8
    assert len(set(two)) == 4, "2 and 4 have a common divisor"
    every = [(s.normal, s.abnormal) for s in sentences_of("screw", CARD.options(pairing="all"), 2)[2]]
    assert len(set(every)) == 8


def test_classes_and_words():
    assert len(OF_CLASS) == 27
    assert states_of("toothbrush", CARD.options()).count("{} with defect") == 2, "repeats count twice"
    assert states_of("capsule", CARD.options())[-1] == "{} squeezed with compression"
    assert states_of("bolt", CARD.options()) == list(GENERIC) == states_of("screw", CARD.options(states="generic"))
    for name, word in (("pcb3", "printed circuit board"), ("macaroni2", "macaroni"), ("bolt", "bolt")):
        assert sentences_of(name, CARD.options(), 1)[0][0].text == f"N N N N {word}."
    after = sentences_of("screw", CARD.options(abnormal_place="after", abnormal_context=2), 1)[2][0]
    assert after.text == "N N N N screw A A."


def encode(backbone, words, contexts):
    """The feature of one sentence: embeddings with contexts at given places, whole length, its end token."""
    text = backbone.text
    ids = text.tokenize([words])
    embedded = text.embed(ids).clone()
    for place, vectors in contexts:
        embedded[0, place : place + len(vectors)] = vectors
    return (text(embedded)[0, ids.argmax()]) @ text.projection


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("part", ["cls", "seg"])
def test_prototypes(make, tiny_backbone, part, place):
    detector = make(abnormal_place=place)
    v, u = (tensor.detach() for tensor in detector.network.prompts(part).parameters())
    n = len(v)
    words = "X X X X Y metal nut." if place == "before" else "X X X X metal nut Y."
    where = 5 if place == "before" else 7
    with torch.no_grad():
        normal = [encode(tiny_backbone, "X X X X metal nut.", [(1, v[i])]) for i in range(n)]
        abnormal = [
            encode(tiny_backbone, f"X X X X {state.format('metal nut')}.", [(1, v[i])])
            for state in states_of("metal_nut", CARD.options())
            for i in range(n)
        ]
        abnormal += [encode(tiny_backbone, words, [(1, v[j % n]), (where, u[j % 4])]) for j in range(4 * n)]
        wanted = torch.stack([unit(torch.stack(side).mean(dim=0)) for side in (normal, abnormal)])
        assert torch.allclose(detector.text_features(part, NUT[:1])[0], wanted, atol=1e-5)


# --- scores ----------------------------------------------------------------------------------------


def test_scores(make, tiny_backbone, seen):
    detector, visual = make(), tiny_backbone.vision.visual
    support = seen._replace(parts={name: tensor[1:2] for name, tensor in seen.parts.items()})
    detector.remember(support)
    tau = tiny_backbone.logit_scale
    with torch.no_grad():
        scores = detector.score(seen, NUT)
        w = {part: detector.text_features(part, NUT[:1])[0] for part in ("cls", "seg")}
        z = unit(visual.ln_post(seen.parts["plain"][:, 0]) @ visual.proj)
        f = unit(visual.ln_post(seen.parts["values"]) @ visual.proj)
    for row in range(3):
        distances = []
        for name in ("memory_1", "memory_2"):
            bank, queries = unit(seen.parts[name][1, 1:]), unit(seen.parts[name][row, 1:])
            distances.append([min((1 - float(q @ r)) / 2 for r in bank) for q in queries])
        vision = torch.tensor(distances).mean(dim=0).clamp_min(0)
        text = softmax(tau * f[row] @ w["seg"].T, dim=-1)[:, 1]
        assert torch.allclose(scores.pixel[row].flatten(), 1 / (1 / text + 1 / vision), atol=1e-6)
        largest = interpolate(vision.view(1, 1, 5, 5), (400, 400), mode="bilinear", align_corners=False).max()
        s = softmax(tau * z[row] @ w["cls"].T, dim=-1)[1]
        assert torch.allclose(scores.image[row], 1 / (1 / s + 1 / largest), atol=1e-6)
    assert scores.pixel[1].max() < 1e-5, "what was remembered is normal"


def test_the_temperature_is_the_logarithm(make, tiny_backbone):
    assert make().scale == tiny_backbone.logit_scale
    assert make(temperature="exp").scale == pytest.approx(2.718281828**tiny_backbone.logit_scale)


# --- training --------------------------------------------------------------------------------------


@pytest.mark.parametrize("triplet", ["channels", "patches"])
@pytest.mark.parametrize("part", ["cls", "seg"])
def test_losses(make, tiny_backbone, tiny_images, seen, part, triplet):
    detector = make(triplet=triplet, margin=0.01)
    detector.begin_stage(part)
    batch = Batch(tiny_images, torch.zeros(3, 70, 70), torch.zeros(3, dtype=torch.int64), NUT)
    found = {name: float(term.detach()) for name, term in detector.loss(seen, batch).items()}
    tau = tiny_backbone.logit_scale
    with torch.no_grad():
        x = detector.image_feature(seen) if part == "cls" else detector.patch_features(seen)
        text = detector.sentences(part, "metal_nut").features(tiny_backbone.text, detector.network.prompts(part))
        w_n, w_a = detector.text_features(part, NUT[:1])[0]
    every = [w_n, *unit(text.manual), *unit(text.learned)]
    rows = x.reshape(-1, x.shape[-1])
    v2t = -sum(torch.log_softmax(torch.stack([tau * row @ a for a in every]), dim=0)[0] for row in rows) / len(rows)
    if part == "cls" or triplet == "patches":
        terms = [max(0.0, float((r - w_n).square().sum() - (r - w_a).square().sum()) + 0.01) for r in rows]
    else:
        terms = [
            max(0.0, float((x[b, :, c] - w_n[c]).square().sum() - (x[b, :, c] - w_a[c]).square().sum()) + 0.01)
            for b in range(3)
            for c in range(x.shape[-1])
        ]
    match = (unit(text.manual).mean(dim=0) - unit(text.learned).mean(dim=0)).square().sum()
    assert found["v2t"] == pytest.approx(float(v2t), abs=1e-5)
    assert found["triplet"] == pytest.approx(sum(terms) / len(terms), abs=1e-5)
    assert found["match_weighted"] == pytest.approx(0.001 * float(match), abs=1e-7)


def test_each_training_has_its_own_parameters(make, tiny_images, seen):
    detector = make()
    batch = Batch(tiny_images, torch.zeros(3, 70, 70), torch.zeros(3, dtype=torch.int64), NUT)
    for part, other in (("cls", "seg"), ("seg", "cls")):
        detector.begin_stage(part)
        sum(detector.loss(seen, batch).values()).backward()
        assert all(p.grad is not None for p in detector.network.get_submodule(part).parameters())
        assert all(p.grad is None for p in detector.network.get_submodule(other).parameters())
        detector.network.zero_grad(set_to_none=True)


def test_the_learning_rate_falls_along_a_cosine(make):
    recipe = CARD.recipe
    optimiser = make_optimiser(make(), recipe)
    assert isinstance(optimiser, torch.optim.SGD)
    assert optimiser.param_groups[0]["momentum"] == 0.9
    for epoch in (0, 1, 50, 99):
        set_learning_rate(optimiser, recipe, epoch=epoch, epochs=100)
        wanted = 1e-5 + 0.00199 * (1 + cos(pi * epoch / 100)) / 2
        assert optimiser.param_groups[0]["lr"] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize(
    "options",
    [{"abnormal": 0}, {"memory_blocks": (4,)}, {"memory_blocks": (4, 4)}, {"resolution": -1}, {"match_weight": -1.0}],
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        CARD.options(**options)


def test_sentences_that_are_too_long_are_refused(make):
    with pytest.raises(UsageError, match="do not fit into the 77 tokens"):
        make(context=75).text_features("cls", NUT)
