"""Methods that score all images of a class together: in runs, by protocol, and in any order."""

import numpy as np
import pytest
import torch

from zsadbench import registry
from zsadbench.engine.plan.jobs import make_plan
from zsadbench.engine.run import run_plan
from zsadbench.errors import UsageError
from zsadbench.records import read_images
from zsadbench.types import Tokens

MUSC = {
    "methods": ("musc",),
    "aux": None,
    "targets": ("mvtec",),
    "protocol": "paper:musc",
    "options": ("degrees=1,3", "nearest=0.5"),
}
STEP = "musc:mutual-scoring"


@pytest.fixture
def planned(request_for):
    return lambda **changes: make_plan(request_for(**{**MUSC, **changes}))


def test_a_run_marks_its_rows_and_is_the_same_for_other_batches(planned, tmp_path):
    found = []
    for batch_size in (1, 4):
        results = run_plan(planned(batch_size=batch_size, out=tmp_path / str(batch_size)))
        assert results.failures == []
        path, record = results.records[0]
        assert record.cell["transductive"] == STEP
        assert "|transductive|" in record.signature
        found.append((record, read_images(path).set_index("path")))
    (one, of_one), (other, of_other) = found
    assert of_one["score"].std() > 0
    assert (of_one["score"] - of_other.loc[of_one.index, "score"]).abs().max() <= 1e-5
    assert of_one["seconds"].gt(0).all()
    for name, values in one.classes.items():
        assert values["image_auroc"] == other.classes[name]["image_auroc"]
        assert values["pixel_auroc"] == pytest.approx(other.classes[name]["pixel_auroc"], abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "strict"}, "does not allow; pass --protocol paper:musc"),
        ({"shots": (1,)}, "takes no --shots"),
        (
            {"methods": ("anomalydino",), "options": ("batched=true",), "protocol": "strict"},
            "pass --protocol paper:anomalydino",
        ),
        ({"methods": ("anomalydino",), "options": (), "protocol": "strict"}, "pass --shots"),
        ({"methods": ("patchcore",), "options": (), "protocol": "strict"}, "pass --shots"),
        ({"methods": ("anomalydino",), "options": ("batched=true",), "shots": (1,)}, "takes no --shots"),
    ],
)
def test_what_is_refused_before_anything_runs(planned, changes, message):
    with pytest.raises(UsageError, match=message):
        planned(**changes)


def test_the_example_of_the_page_runs_under_its_protocol_alone(plugin, request_for, monkeypatch):
    points = {group: dict(registry._points(group)) for group in ("methods", "datasets", "reports")}
    monkeypatch.setattr(registry, "_points", points.__getitem__)
    registry.add_plugin(plugin("ranked"))
    request = {**MUSC, "methods": ("ranked",), "options": ()}
    results = run_plan(make_plan(request_for(**{**request, "protocol": "paper:ranked"})))
    assert results.failures == []
    assert results.records[0][1].cell["transductive"] == "ranked:mean"
    with pytest.raises(UsageError, match="paper:ranked"):
        make_plan(request_for(**{**request, "protocol": "strict"}))


def test_a_class_that_is_too_small_costs_its_class(planned):
    results = run_plan(planned(limit=1))
    assert results.failures
    assert all("needs at least 3; 2 were given" in failure for failure in results.failures)


def test_normal_images_are_turned_before_they_are_encoded(planned, monkeypatch):
    seen = []
    from zsadbench_methods.anomalydino.model import AnomalyDINO

    remember = AnomalyDINO.remember
    monkeypatch.setattr(
        AnomalyDINO, "remember", lambda self, tokens: seen.append(tokens.layers[0]) or remember(self, tokens)
    )
    plain = {"methods": ("anomalydino",), "protocol": "strict", "shots": (2,)}
    for angles in ("0", "0,90,180"):
        assert run_plan(planned(**plain, options=(f"angles={angles}",))).failures == []
    half = len(seen) // 2
    for alone, turned in zip(seen[:half], seen[half:], strict=True):
        assert len(alone) == 2
        assert len(turned) == 6
        assert torch.equal(turned[:2], alone)
        assert not torch.allclose(turned[2:4], alone, atol=1e-3)


def test_an_auxiliary_set_is_remembered_once_and_cached(planned):
    request = {"methods": ("mrad-tf",), "aux": "colondb", "options": (), "protocol": "strict"}
    results = run_plan(planned(**request))
    assert results.failures == []
    record = results.records[0][1]
    assert record.cell["recipe"]["one_pass"] is True
    assert record.cell["aux"]["name"] == "colondb"
    again = run_plan(planned(**request, seeds=(0,), overwrite="always"))
    assert again.records[0][1].classes == record.classes
    assert "seconds_training" in record.cost


def tokens_of(count, grid=4, width=8, layers=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(count, 1 + grid**2, width, generator=generator) for _ in range(layers)), grid


class Unencoded:
    """Enough of a backbone for tokens that are given."""

    image_size = 56

    class spec:
        class config:
            kind = "vision-only"

    class vision:
        norm = staticmethod(lambda tokens: tokens)


def musc_of(**options):
    card = registry.method_card("musc")
    from zsadbench_methods.musc.model import MuSc

    return MuSc(Unencoded(), card.options(layers=(1, 2), class_layer=2, **options))


def plain_musc(layers, grid, degrees=(1, 3, 5), nearest=0.3):
    """The mutual scores word for word, in float64: patch by patch, image by image."""
    maps = []
    for side in degrees:
        for layer in layers:
            patches = layer[:, 1:].double().numpy()
            mean, var = patches.mean(axis=(1, 2), keepdims=True), patches.var(axis=(1, 2), keepdims=True)
            patches = ((patches - mean) / np.sqrt(var + 1e-5)).reshape(len(patches), grid, grid, -1)
            pad = side // 2
            padded = np.pad(patches, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
            means = sum(
                padded[:, down : down + grid, right : right + grid] for down in range(side) for right in range(side)
            )
            unit = means.reshape(len(means), grid**2, -1)
            unit = unit / np.linalg.norm(unit, axis=2, keepdims=True)
            scores = np.zeros(unit.shape[:2])
            for i, image in enumerate(unit):
                others = [j for j in range(len(unit)) if j != i]
                for p, patch in enumerate(image):
                    near = sorted(np.linalg.norm(unit[j] - patch, axis=1).min() for j in others)
                    scores[i, p] = np.mean(near[: int(nearest * len(others))])
            maps.append(scores.reshape(-1, grid, grid))
    return np.mean(maps, axis=0)


@pytest.mark.parametrize(("count", "grid", "width"), [(5, 3, 4), (9, 4, 8)])
def test_mutual_scores_are_those_of_the_definition(count, grid, width):
    layers, _ = tokens_of(count, grid, width)
    detector = musc_of()
    detector.gather(Tokens(layers, grid))
    assert np.abs(detector.grid_maps().numpy() - plain_musc(layers, grid)).max() <= 2e-6


def test_copies_of_an_image_are_exactly_alike():
    layers, grid = tokens_of(6)
    twice = tuple(torch.cat([layer, layer[:2]]) for layer in layers)
    detector = musc_of(nearest=0.15)  # the nearest of seven others alone
    detector.gather(Tokens(twice, grid))
    maps = detector.grid_maps()
    assert maps[[0, 1, 6, 7]].abs().max() <= 1e-6, "products alone would leave some 1e-4"
    assert maps[2:6].min() > 0.1


@pytest.mark.parametrize("block", [1, 2, 7])
def test_no_block_and_no_file_changes_a_score(block, monkeypatch):
    from zsadbench_methods.musc import mutual
    from zsadbench_methods.parts import token_store

    layers, grid = tokens_of(9)
    usual = musc_of()
    usual.gather(Tokens(layers, grid))
    monkeypatch.setattr(mutual, "PRODUCT", 300)
    monkeypatch.setattr(token_store.TokenStore.__init__, "__defaults__", (2000,))
    other = musc_of()
    other.block = block
    for rows in ([0, 1, 2], [3], [4, 5, 6, 7, 8]):
        other.gather(Tokens(tuple(layer[rows] for layer in layers), grid))
    assert other._layers[0]._in_file > 0
    assert (usual.grid_maps() - other.grid_maps()).abs().max() <= 1e-6


def test_a_new_image_is_compared_once_with_each_other(monkeypatch):
    from zsadbench_methods.musc import mutual

    layers, grid = tokens_of(8)
    compared, compare = [], mutual.compare
    monkeypatch.setattr(mutual, "compare", lambda one, some: compared.append(len(some)) or compare(one, some))
    detector = musc_of(degrees=(1,))
    detector.gather(Tokens(tuple(layer[:7] for layer in layers), grid))
    list(detector.score_class())
    assert sum(compared) == 2 * 7 * 6 / 2
    compared.clear()
    detector.gather(Tokens(tuple(layer[7:] for layer in layers), grid))
    later = list(detector.score_class())
    assert sum(compared) == 2 * 7
    whole = musc_of(degrees=(1,))
    whole.gather(Tokens(layers, grid))
    for one, other in zip(later, whole.score_class(), strict=True):
        assert (one.pixel - other.pixel).abs().max() <= 1e-6
        assert (one.image - other.image).abs().max() <= 1e-5


def test_the_batched_form_averages_what_lies_below_the_kth(tiny_backbone):
    from zsadbench_methods.anomalydino.model import AnomalyDINO

    (layer, _), grid = tokens_of(6)
    options = registry.method_card("anomalydino").options(batched=True, quantile=0.05, masks="off")
    detector = AnomalyDINO(None, options)
    detector.gather(Tokens((layer,), grid))
    unit = torch.nn.functional.normalize(layer[:, 1:].double(), dim=-1)
    for number, scores in enumerate(detector.score_class()):
        others = torch.cat([unit[j] for j in range(6) if j != number])
        distances = (1 - unit[number] @ others.T).sort(dim=1).values
        expected = distances[:, : int(0.05 * 80) - 1].mean(dim=1)
        assert (scores.pixel.flatten() - expected).abs().max() <= 1e-6
    few = AnomalyDINO(None, registry.method_card("anomalydino").options(batched=True))
    few.gather(Tokens((layer,), grid))
    with pytest.raises(UsageError, match="at least"):
        next(few.score_class())
