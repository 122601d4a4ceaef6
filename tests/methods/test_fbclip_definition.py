"""FB-CLIP word for word: slow, one image at a time, nothing in closed form, then compared with the method.

In double precision: L × L attention in SEM, an unfolded window in SPA, two streams head by head, one bank.
"""

import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from zsadbench_methods.fbclip.foreground import Foreground, find_foreground
from zsadbench_methods.fbclip.fused import attend_views
from zsadbench_methods.fbclip.suppression import masked_prototype, sequence_prototype, suppress
from zsadbench_methods.fbclip.views import View

GRID = 7
CUES = (0.3, 0.3, 0.3, 0.1)


# --- the definition --------------------------------------------------------------------------------


def slow_cues(z, before):
    cls, x = z[0], z[1:]
    zero, mean = torch.zeros_like(cls), x.mean(dim=0)
    cues = torch.zeros(4, len(x), dtype=x.dtype)
    for i in range(len(x)):
        left, right = x[i - 1] if i > 0 else zero, x[i + 1] if i + 1 < len(x) else zero
        cues[0, i] = (x[i] - (left + x[i] + right) / 3).norm()
        cues[1, i] = (x[i] - mean).norm()
        cues[2, i] = 1 - cosine_similarity(x[i], cls, dim=0)
        cues[3, i] = 0 if before is None else (x[i] - before[1 + i]).norm()
    return cues


def slow_mask_score(z, before, *, smoothing):
    cues = slow_cues(z, before)
    spread = (cues.amax(1) - cues.amin(1)).clamp_min(1e-6)
    q = sum(w * (cue - cue.min()) / s for w, cue, s in zip(CUES, cues, spread, strict=True))
    if not smoothing:
        return q
    count, smooth = len(q), torch.zeros_like(q)
    for i in range(count):
        for offset in (-2, -1, 0, 1, 2):
            j = abs(i + offset)  # reflected at the start, the edge itself not repeated
            j = 2 * (count - 1) - j if j >= count else j
            smooth[i] += q[j] / 5
    return smooth


def slow_sem(z, p, *, by_key):
    cls, x = z[0], z[1:]
    gamma = cosine_similarity(x, cls.unsqueeze(0), dim=-1)
    rho, back = 1 - gamma, 1 - p
    richness = (rho[None, :], gamma[None, :]) if by_key else (rho[:, None], gamma[:, None])
    alpha = (richness[0] * p[:, None] * p[None, :]).softmax(dim=1)  # L × L
    beta = (richness[1] * back[:, None] * back[None, :]).softmax(dim=1)
    y = p[:, None] * (alpha @ x) + back[:, None] * (beta @ x)
    return torch.cat([z[:1], 0.6 * y + 0.4 * x])


def slow_spa(z, p, grid):
    cls, x = normalize(z[0], dim=0), z[1:]
    out = torch.zeros_like(x)
    for i in range(len(x)):
        xs, ps = torch.zeros(25, x.shape[1], dtype=x.dtype), torch.zeros(25, dtype=x.dtype)
        for k in range(25):
            row, column = i // grid + k // 5 - 2, i % grid + k % 5 - 2
            if 0 <= row < grid and 0 <= column < grid:
                xs[k], ps[k] = x[row * grid + column], p[row * grid + column]
        back = 1 - ps  # one, not one half, outside the image
        u = back * (xs @ cls)
        b = (u.softmax(0)[:, None] * back[:, None] * xs).sum(0) / back.sum().clamp_min(1e-8)
        ys = ps[:, None] * xs
        v = (1 - normalize(xs, dim=-1) @ cls) * (ys - ys.sum(0) / 25).norm(dim=-1)
        a = (v.softmax(0)[:, None] * ys).sum(0) / ps.sum().clamp_min(1e-8)
        out[i] = a + b
    return torch.cat([z[:1], out])


def slow_norm(x, layer):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (x.var(dim=-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * layer.weight + layer.bias


def slow_attention(module, z, *, gated):
    hidden = (z @ module.gate[0].weight.T + module.gate[0].bias).clamp_min(0)
    gate = torch.sigmoid(hidden @ module.gate[2].weight.T + module.gate[2].bias)
    gate = gate if gated else torch.full_like(gate, 0.5)
    total = torch.zeros_like(z)
    for stream, share in ((module.foreground, gate), (module.background, 1 - gate)):
        h = slow_norm(share * z, stream.norm)
        q, k, v = (h @ layer.weight.T for layer in (stream.to_q, stream.to_k, stream.to_v))
        heads = []
        for head in range(8):
            part = slice(64 * head, 64 * head + 64)
            heads.append(((q[:, part] @ k[:, part].T) * stream.scale).softmax(dim=-1) @ v[:, part])
        total = total + torch.cat(heads, dim=1) @ stream.to_out.weight.T + stream.to_out.bias
    return slow_norm(total, module.norm)


def slow_bank(groups, masks, options):
    """The rows of every group that count as background: a first part of the sequence, or of the masked patches."""
    whole = [group[: max(1, int(len(group) * options.bs_fraction))] for group in groups]
    if options.bs_select == "sequence":
        return torch.cat(whole)
    rows = []
    for group, foreground in zip(groups, masks, strict=True):
        background = [1 + i for i in range(len(foreground)) if not foreground[i]]
        kept = max(1, int(len(background) * options.bs_fraction))
        rows += [group[i] for i in background[:kept]]
    return torch.stack(rows) if rows else torch.cat(whole)


def slow_text(detector):
    options, backbone, fusion = detector.options, detector.backbone, detector.network.fusion
    states = backbone.text(detector.network.prompts(), causal=options.text_causal).double()
    projection, rows = backbone.text.projection.double(), []
    for h in states:
        eot = 1 + options.context + 4  # start, contexts, "object", "with(out)", "defect", "."
        scores = [fusion.selector[2](fusion.selector[0](token).relu()) for token in h]
        attended = sum(weight * token for weight, token in zip(torch.stack(scores).softmax(0), h, strict=True))
        parts = {
            "mean": options.weight_mean * (sum(h) / 77) @ projection,
            "attention": options.weight_attention * fusion.project[2](fusion.project[0](attended).relu()),
            "eot": options.weight_eot * h[eot] @ projection,
        }
        row = sum(parts[name] for name in options.poolings)
        rows.append(row / row.norm())
    return torch.stack(rows)


def slow_detection(detector, layers, grid, *, dead_term):
    """One image through the whole method: (image score, map, masks)."""
    options, network = detector.options, detector.network
    groups, masks, weights = [], [], []
    shares = network.layer_weights.softmax(dim=0)
    for number, z in enumerate(layers):
        q = slow_mask_score(z, layers[number - 1] if number else None, smoothing=options.mask_smoothing)
        p = torch.where(q > options.foreground_threshold, 1.0, options.background_value).double()
        views = {"id": z, "sem": slow_sem(z, p, by_key=options.sem_weight_by_key), "spa": slow_spa(z, p, grid)}
        for name in options.views:
            view = views[name]
            groups.append(slow_attention(network.attention, view, gated=options.gate) if options.fb_attention else view)
            masks.append(q > options.foreground_threshold)
            weights.append(shares[number])
    text, logits = slow_text(detector), 0
    bank = slow_bank(groups, masks, options)
    b = options.bs_mix * bank.mean(dim=0) + (1 - options.bs_mix) * bank.amax(dim=0)
    for group, weight in zip(groups, weights, strict=True):
        r, s = group - b, cosine_similarity(group, b.unsqueeze(0), dim=-1)
        u = 0.5 * group + 0.5 * (1 - s)[:, None] * r if options.bs else group
        cosines = normalize(u @ detector.backbone.vision.projection.double(), dim=-1) @ text.T
        logits = logits + weight * cosines / options.temperature
        if dead_term:  # the published "reconstruction error", added to both classes alike
            logits = logits + 0.5 * weight * r.norm(dim=-1, keepdim=True)
    abnormal = logits.softmax(dim=-1)[:, 1]
    return abnormal[0], abnormal[1:].view(grid, grid), masks


# --- the comparison --------------------------------------------------------------------------------


@pytest.fixture
def double(fbclip):
    """`double(**options)`: the method and a copy of it in double precision for the definition."""

    def make(**options):
        detector, exact = fbclip(**options), fbclip(**options)
        exact.network.double()
        return detector, exact

    return make


def masks_of(kind, batch, patches):
    front = torch.rand(batch, patches, generator=torch.Generator().manual_seed(3)) > 0.6
    return {
        "mixed": front,
        "all foreground": torch.ones_like(front),
        "all background": torch.zeros_like(front),
        "one foreground patch": torch.arange(patches).expand(batch, -1) == 0,
        "border background": (torch.arange(patches) % GRID != 0).expand(batch, -1),
    }[kind]


KINDS = ("mixed", "all foreground", "all background", "one foreground patch", "border background")


@pytest.mark.parametrize("background_value", [0.5, 0.2, 0.0])
@pytest.mark.parametrize("kind", KINDS)
def test_views(make_tokens, compute_view, kind, background_value):
    z = make_tokens(seed=4, batch=2, grid=GRID, width=8).layers[2]
    front = masks_of(kind, 2, GRID * GRID)
    soft = torch.where(front, 1.0, background_value)
    similarity = cosine_similarity(z[:, 1:], z[:, :1], dim=-1)
    foreground = Foreground(torch.zeros_like(soft), front, soft, similarity)
    assert compute_view("id", z, foreground) is z
    for row in range(2):
        exact, p = z[row].double(), soft[row].double()
        for by_key in (False, True):
            sem = compute_view("sem", z, foreground, by_key=by_key)[row]
            assert torch.allclose(sem.double(), slow_sem(exact, p, by_key=by_key), atol=1e-5)
            assert torch.equal(sem[0], z[row, 0])
        spa = compute_view("spa", z, foreground)[row]
        assert torch.allclose(spa.double(), slow_spa(exact, p, GRID), atol=1e-5)
        assert torch.equal(spa[0], z[row, 0])


@pytest.mark.parametrize("smoothing", [True, False])
@pytest.mark.parametrize("threshold", [0.3, 0.5, -1.0, 2.0])
def test_foreground_mask(make_tokens, threshold, smoothing):
    layers = make_tokens(seed=5, batch=3, grid=GRID, width=16).layers
    for number, z in enumerate(layers):
        before = layers[number - 1] if number else None
        settings = {"threshold": threshold, "smoothing": smoothing, "background_value": 0.25}
        found = find_foreground(z, before, **settings)
        for row in range(3):
            previous = None if before is None else before[row].double()
            q = slow_mask_score(z[row].double(), previous, smoothing=smoothing)
            assert torch.allclose(found.score[row].double(), q, atol=1e-5)
            clear = (q - threshold).abs() > 1e-5  # nearer than that, rounding may decide
            assert torch.equal(found.is_foreground[row][clear], (q > threshold)[clear])
        assert torch.equal(found.soft, torch.where(found.is_foreground, 1.0, 0.25))


@pytest.mark.parametrize("gated", [True, False])
def test_attention(double, tokens, gated):
    detector, exact = double(gate=gated)
    layer = tokens.layers[1]
    readable = detector.network.attention(layer)
    (fused,) = attend_views(detector.network.attention, [layer], [[View(0, "id", layer, lambda tokens: tokens)]])
    for row in range(3):
        expected = slow_attention(exact.network.attention, layer[row].double(), gated=gated)
        assert torch.allclose(readable[row].double(), expected, atol=1e-4)
        assert torch.allclose(fused.tokens[row].double(), expected, atol=1e-4)


@pytest.mark.parametrize("gated", [True, False])
def test_the_fused_attention_agrees_with_the_module_on_every_view(fbclip, tokens, gated):
    detector = fbclip(gate=gated)
    views = list(detector.views(tokens, detector.foregrounds(tokens)))
    with torch.no_grad():
        fused = list(detector.fb_attention(tokens, views))
        for view, group in zip([view for layer_views in views for view in layer_views], fused, strict=True):
            assert (group.layer, group.view) == (view.layer, view.name)
            readable = detector.network.attention(view.tokens)
            assert torch.allclose(group.tokens, readable, atol=1e-4), (view.layer, view.name)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("select", ["sequence", "mask"])
def test_background_suppression(make_tokens, fbclip, select, fraction):
    options = fbclip(bs_select=select, bs_fraction=fraction, bs_mix=0.3).options
    groups = list(make_tokens(seed=6, batch=5, grid=GRID, width=8).layers)
    fronts = [masks_of(kind, 5, GRID * GRID) for kind in KINDS]
    fronts = [torch.cat([front[:4], torch.ones(1, GRID * GRID, dtype=torch.bool)]) for front in fronts]
    if select == "sequence":
        found = sequence_prototype(groups, fraction, 0.3)
    else:
        found = masked_prototype(groups, [~front for front in fronts], fraction, 0.3)
    for row in range(5):  # the last image has no background anywhere
        exact = [group[row].double() for group in groups]
        bank = slow_bank(exact, [front[row] for front in fronts], options)
        b = 0.3 * bank.mean(dim=0) + 0.7 * bank.amax(dim=0)
        assert torch.allclose(found[row].double(), b, atol=1e-5)
        y = exact[0]
        expected = 0.5 * y + 0.5 * (1 - cosine_similarity(y, b.unsqueeze(0), dim=-1))[:, None] * (y - b)
        assert torch.allclose(suppress(groups[0], found)[row].double(), expected, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"poolings": ("mean",)},
        {"poolings": ("eot", "attention"), "weight_attention": 0.8, "weight_eot": 0.1},
        {"context": 3, "text_causal": True},
    ],
    ids=str,
)
def test_text_features(double, options):
    detector, exact = double(**options)
    assert torch.allclose(detector.text_features().double(), slow_text_in_double(detector, exact), atol=1e-5)


def slow_text_in_double(detector, exact):
    """The definition's fusion in double precision on the method's own prompts, which the frozen tower reads."""
    exact.network.prompts.float()
    return slow_text(exact)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sem_weight_by_key": True, "background_value": 0.1},
        {"views": ("spa",), "layers": (12, 24), "gate": False},
        {"bs_select": "mask", "bs_fraction": 1.0, "foreground_threshold": 0.45},
        {"foreground_threshold": -1.0, "bs_select": "mask"},
        {"foreground_threshold": 2.0, "bs_mix": 1.0, "mask_smoothing": False},
        {"fb_attention": False, "poolings": ("mean", "eot"), "temperature": 0.2},
        {"bs": False, "views": ("id", "sem")},
    ],
    ids=str,
)
def test_whole_method(double, make_tokens, options):
    detector, exact = double(**options)
    tokens = make_tokens(seed=8, batch=2, layers=len(detector.options.layers))
    exact.network.prompts.float()
    with torch.no_grad():
        scores = detector.score(tokens, ["anything"] * 2)
        for row in range(2):
            layers = [layer[row].double() for layer in tokens.layers]
            image, pixel, _ = slow_detection(exact, layers, tokens.grid, dead_term=True)
            assert abs(scores.image[row] - image) < 1e-4
            assert torch.allclose(scores.pixel[row].double(), pixel, atol=1e-4)
