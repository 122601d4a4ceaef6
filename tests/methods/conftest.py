"""A detector with uneven weights and tokens that look like a residual stream."""

from types import SimpleNamespace

import pytest
import torch

from zsadbench.registry import method_card
from zsadbench.types import Batch, Tokens
from zsadbench_methods.fbclip.views import find_mix

LAYERS = (1, 6, 12, 18, 24)


@pytest.fixture(scope="session")
def make_tokens():
    """`make_tokens(seed=0, batch=3, grid=5, width=64, layers=5, values=0)`: every layer adds to the one before it."""

    def path(layers, batch, grid, width, generator):
        steps = torch.randn(layers, batch, 1 + grid * grid, width, generator=generator)
        common = torch.randn(1, batch, 1, width, generator=generator)
        return tuple((steps.cumsum(dim=0) + common).unbind())

    def make(seed=0, batch=3, grid=5, width=64, layers=5, values=0):
        generator = torch.Generator().manual_seed(seed)
        plain, value = (path(number, batch, grid, width, generator) for number in (layers, values))
        return Tokens(plain, grid, value)

    return make


@pytest.fixture(scope="session")
def tokens(make_tokens):
    """Three images of 5 × 5 patches, five layers of width 64."""
    return make_tokens()


@pytest.fixture(scope="session")
def batch():
    """What goes with `tokens` in training: one normal image between two anomalous ones."""
    masks = torch.zeros(3, 70, 70)
    masks[0, 10:30, 20:50] = 1
    masks[2, 60:, :5] = 1
    return Batch(torch.zeros(3, 3, 70, 70), masks, torch.tensor([1, 0, 1]), ("bolt", "bolt", "nut"))


@pytest.fixture(scope="session")
def widened(tiny_backbone):
    """`widened(name, **options)` builds a method on the tiny backbone, its weights far from where they start."""

    def make(name, **options):
        card = method_card(name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            detector = card.build(tiny_backbone, card.options(**options))
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for parameter in detector.network.parameters():
                parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
        return detector

    return make


@pytest.fixture(scope="session")
def fbclip(widened):
    """`fbclip(**options)` builds FB-CLIP, widened, some of its gates closed and some open."""

    def make(**options):
        detector = widened("fbclip", **options)
        with torch.no_grad():
            detector.network.attention.gate[2].weight.mul_(6)
        return detector

    return make


@pytest.fixture(scope="session")
def compute_view():
    """`compute_view(name, tokens, foreground, by_key=False)`: the tokens of one of FB-CLIP's views."""

    def compute(name, tokens, foreground, *, by_key=False):
        return find_mix(name, tokens, foreground, by_key=by_key)(tokens)

    return compute


@pytest.fixture(scope="session")
def large_sizes():
    """What a head needs to know about the ViT-L/14 backbone, without its towers."""
    vision, text = SimpleNamespace(width=1024, layers=24), SimpleNamespace(width=768, layers=12)
    config = SimpleNamespace(vision=vision, text=text, embed_dim=768)
    tower = SimpleNamespace(
        tokenize=lambda sentences: torch.zeros(len(sentences), 77, dtype=torch.int64),
        embed=lambda ids: torch.zeros(*ids.shape, 768),
        context_length=77,
    )
    return SimpleNamespace(spec=SimpleNamespace(config=config), text=tower)
