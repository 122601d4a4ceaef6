"""Curves, regions and parts of a class, each against its definition written out."""

import numpy as np
import pytest
from scipy import ndimage

from zsadbench.metrics import PixelMetrics, aupro, average_precision, f1_max, image_auroc
from zsadbench.metrics.overlaps import KEPT, RegionOverlaps
from zsadbench.metrics.subsets import Subsets, area_quartiles

EIGHT = np.ones((3, 3))
MODES = ("exact", "stream")


def make(seed=0, number=12, size=36):
    """Maps, masks, defects and views; every third image is normal, others show one of two defects."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((number, size, size), bool)
    defects, views = [], []
    for index in range(number):
        defects.append(["", "hole", "crack"][index % 3])
        views.append(["top", "side"][index // 3 % 2])
        for _ in range(3 if defects[-1] else 0):
            y, x = rng.integers(0, size - 12, 2)
            height, width = rng.integers(1, 12, 2)
            masks[index, y : y + height, x : x + width] = True
    maps = (rng.normal(size=masks.shape) + masks * rng.uniform(0.5, 2, (number, 1, 1))).astype(np.float32)
    return maps, masks, defects, views, rng.normal(size=number)


def subsets(example, edges=None, **settings):
    maps, masks, defects, views, scores = example
    found = Subsets(edges, **settings)
    for batch in (slice(0, 5), slice(5, None)):
        found.update(scores[batch], defects[batch], maps[batch], masks[batch], views[batch])
    return found


def metrics_of(normal, regions, limit=0.3):
    """AUROC, AP, F1 and AUPRO of normal scores and of regions' scores: one image, ignored pixels left out."""
    scores = np.concatenate([normal, *regions])
    labels = np.concatenate([np.zeros(normal.size), *(np.ones(region.size) for region in regions)])
    # regions as rows of one image, apart from each other, with the normal pixels below
    width = max([normal.size, *(region.size for region in regions)])
    ramp = 0.0
    allowed = limit * normal.size
    for region in regions:
        for score in region:
            above, tied = (normal > score).sum(), (normal == score).sum()
            room = max(allowed - above, 0)
            ramp += (room - tied / 2 if tied <= room else room**2 / (2 * tied)) / region.size
    assert width
    return {
        "pixel_auroc": image_auroc(scores, labels),
        "pixel_ap": average_precision(scores, labels),
        "pixel_f1max": f1_max(scores, labels),
        "pixel_aupro": ramp / allowed / len(regions),
    }


def regions_of(one_map, mask):
    labels, number = ndimage.label(mask, EIGHT)
    return [one_map[labels == region] for region in range(1, number + 1)]


def check(form, part, normal, regions):
    for key, value in metrics_of(normal, regions).items():
        assert part.estimates[key].lower - 1e-12 <= value <= part.estimates[key].upper + 1e-12, key
        assert part.estimates[key].value == pytest.approx(value, abs=1e-12 if part.estimates[key].exact else 1e-3), key
    anomalous = sum(region.size for region in regions)
    assert part.prevalence == anomalous / (anomalous + normal.size)
    known = {part.estimates[key].exact for key in metrics_of(normal, regions)}
    assert known == {True} or form not in ("float16", "constant")


FORMS = {
    "continuous": lambda maps: maps,
    "float16": lambda maps: maps.astype(np.float16).astype(np.float32),  # as coarse as the cells: bounds meet
    "saturated": lambda maps: maps.clip(0, 1),
    "constant": lambda maps: maps * 0 + np.float32(0.3),
    "float64": lambda maps: maps.astype(np.float64) * (1 + 1e-12),
}


@pytest.fixture(params=list(FORMS))
def form(request):
    return request.param


def formed(form, seed):
    maps, *others = make(seed)
    return FORMS[form](maps), *others


def test_a_defect_is_found_among_normal_images_and_its_own_normal_pixels(form):
    example = maps, masks, defects, _, scores = formed(form, 0)
    parts = subsets(example).compute()
    assert [name for name in parts if name.startswith(("view", "defect"))] == [
        *("view=side", "view=top", "defect=crack", "defect=hole")
    ]
    for defect in ("hole", "crack"):
        own = [index for index in range(12) if defects[index] in ("", defect)]
        regions = [region for index in own for region in regions_of(maps[index], masks[index])]
        check(form, parts[f"defect={defect}"], maps[own][~masks[own]], regions)
        labels = [bool(defects[index]) for index in own]
        assert parts[f"defect={defect}"].estimates["image_auroc"].value == image_auroc(scores[own], labels)
        assert parts[f"defect={defect}"].images == len(own)


def test_a_view_has_its_own_negatives(form):
    example = maps, masks, _, views, _ = formed(form, 1)
    parts = subsets(example).compute()
    for view in ("top", "side"):
        own = [index for index in range(12) if views[index] == view]
        regions = [region for index in own for region in regions_of(maps[index], masks[index])]
        check(form, parts[f"view={view}"], maps[own][~masks[own]], regions)


def chosen_regions(maps, masks, defects, wanted):
    """The normal pixels and the regions of a part; `wanted(image, region mask)` says which regions belong to it."""
    found, own = [], []
    for index in range(len(maps)):
        labels, number = ndimage.label(masks[index], EIGHT)
        inside = [maps[index][labels == one] for one in range(1, number + 1) if wanted(index, labels == one)]
        found += inside
        own += [index] if inside or not defects[index] else []
    return maps[own][~masks[own]], found


def test_a_quartile_ignores_the_other_regions(form):
    example = maps, masks, defects, _, _ = formed(form, 2)
    edges = area_quartiles(masks)
    parts = subsets(example, edges).compute()
    fractions = [region.size / 36**2 for index in range(12) for region in regions_of(maps[index], masks[index])]
    assert edges == tuple(np.quantile(fractions, (0.25, 0.5, 0.75)))
    total = 0
    for number, (low, high) in enumerate(zip((-1, *edges), (*edges, 2), strict=True), 1):
        normal, found = chosen_regions(maps, masks, defects, lambda _, one, a=low, b=high: a < one.mean() <= b)
        check(form, parts[f"area={number}"], normal, found)
        total += len(found)
    assert total == len(fractions)


def test_images_are_told_apart_by_their_number_of_regions(form):
    example = maps, masks, defects, _, _ = formed(form, 8)
    masks[1], masks[4] = False, np.indices((36, 36)).sum(0) % 9 == 0
    masks[4, ::2] = False
    number = [ndimage.label(mask, EIGHT)[1] for mask in masks]
    parts = subsets(example).compute()
    kinds = {"1": (1, 1), "2": (2, 2), "3-5": (3, 5), "6+": (6, 9999)}
    there = {name: {one for one in number if low <= one <= high} for name, (low, high) in kinds.items()}
    assert {name for name in parts if name.startswith("regions=")} == {f"regions={one}" for one in there if there[one]}
    assert len([one for one in there.values() if one]) > 2
    for name, inside in there.items():
        if inside:
            check(
                form,
                parts[f"regions={name}"],
                *chosen_regions(maps, masks, defects, lambda at, _, a=inside: number[at] in a),
            )
    assert parts["defect=hole"].images == 8, "an image whose mask is blank still shows its defect"


def test_regions_are_told_apart_by_their_distance_to_the_border(form):
    example = maps, masks, defects, _, _ = formed(form, 9)
    masks[1, 0, 4:7] = masks[2, 10:14, 35] = masks[2, 2:30, 2] = True
    parts = subsets(example).compute()
    rows, columns = np.indices((36, 36))
    border = np.minimum(np.minimum(rows, 35 - rows), np.minimum(columns, 35 - columns))
    kinds = {"touching": (0, 0), "near": (1, 3), "far": (4, 99)}  # a tenth of 36 is 3.6
    for name, (low, high) in kinds.items():
        normal, found = chosen_regions(maps, masks, defects, lambda _, one, a=low, b=high: a <= border[one].min() <= b)
        assert found
        check(form, parts[f"border={name}"], normal, found)


def test_a_part_with_every_anomaly_is_the_class(form):
    maps, masks, defects, _, scores = formed(form, 3)
    whole = PixelMetrics()
    whole.update(maps, masks)
    found = Subsets()
    found.update(scores, ["dent" if one else "" for one in defects], maps, masks)
    part = found.compute()["defect=dent"]
    for key, exact in whole.compute().items():
        if exact.value is None:
            assert part.estimates[f"pixel_{key}"].value is None
        elif part.estimates[f"pixel_{key}"].value is not None:  # 200 thresholds may lie too near for the cells
            assert part.estimates[f"pixel_{key}"].lower <= exact.value <= part.estimates[f"pixel_{key}"].upper
    assert part.prevalence == masks.mean()


def test_neither_order_nor_batches_nor_shards_change_a_bit(form):
    example = formed(form, 4)
    edges = area_quartiles(example[1])
    whole = subsets(example, edges).compute()
    halves = [subsets([one[at] for one in example], edges) for at in (slice(6, None), slice(0, 6))]
    assert halves[0].merge(halves[1]).compute() == whole
    order = [7, 3, 0, 11, 1, 2, 10, 4, 9, 5, 8, 6]
    single = Subsets(edges)
    for at in order:
        maps, masks, defects, views, scores = (one[at : at + 1] for one in example)
        single.update(scores, defects, maps, masks, views)
    assert single.compute() == whole
    with pytest.raises(ValueError, match="edges"):
        halves[0].merge(Subsets())
    with pytest.raises(ValueError, match="limit or connectivity"):
        Subsets().merge(Subsets(limit=0.1))


def test_parts_that_cannot_be_right_are_refused():
    maps, masks, defects, views, scores = make(5)
    with pytest.raises(ValueError, match=r"masks\[1\] has an anomalous pixel, but the image names no defect"):
        Subsets().update(scores[:2], ["", ""], maps[:2], masks[:2])
    with pytest.raises(ValueError, match="12 maps, 11 defects, 12 views, 12 scores"):
        Subsets().update(scores, defects[1:], maps, masks, views)
    with pytest.raises(ValueError, match="edges must ascend"):
        Subsets((0.5, 0.1, 0.2))
    with pytest.raises(ValueError, match="no mask has a region"):
        area_quartiles(masks[:1] * 0)
    assert Subsets().compute() == {}


def test_views_without_an_anomaly_are_there_with_the_reason():
    maps, masks, _, _, scores = make(5)
    found = Subsets()
    found.update(scores[:4], [""] * 4, maps[:4], masks[:4] * False, ["top"] * 4)
    part = found.compute()["view=top"]
    assert (part.prevalence, part.images) == (0, 4)
    assert {one.reason for one in part.estimates.values()} == {"no anomalous image", "no anomalous pixel"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("points", [2, 40, 10_000])
def test_curves_have_few_points_that_thresholds_attain(mode, points):
    maps, masks, *_ = make(6)
    metrics = PixelMetrics(mode=mode)
    metrics.update(maps, masks)
    curves = metrics.curves(points)
    scores, labels = maps.ravel(), masks.ravel()
    levels = np.append(np.unique(scores), np.inf)
    rates = [1 - np.searchsorted(np.sort(scores[labels == kind]), levels) / (labels == kind).sum() for kind in (0, 1)]
    attained = {(round(x, 9), round(y, 9)) for x, y in zip(*rates, strict=True)}
    assert set(curves) == {"roc", "pr", "pro"}
    for name, (x, y) in curves.items():
        assert 2 <= x.size == y.size <= points
        assert x.min() >= 0
        assert max(x.max(), y.max()) <= 1
        assert (np.diff(x) >= 0).all()
        if name != "pr":
            assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    if mode == "exact":
        assert {(round(x, 9), round(y, 9)) for x, y in zip(*curves["roc"], strict=True)} <= attained
    if points > 1000:
        x, y = curves["roc"]
        area = ((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum()
        assert area == pytest.approx(metrics.compute()["auroc"].value, abs=1e-12)
        x, y = curves["pro"]
        assert aupro(maps, masks, 1.0) == pytest.approx(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum(), abs=1e-6)
    assert PixelMetrics().curves() == {}
    with pytest.raises(ValueError, match="at least 2 points"):
        metrics.curves(1)


@pytest.mark.parametrize("mode", MODES)
def test_each_region_has_its_overlap_at_fixed_rates(mode):
    maps, masks, *_ = make(7, size=60)
    masks[1, 20:50, 20:50] = True
    names = [f"{index:02}.png" for index in range(12)]
    metrics, regions, other = PixelMetrics(mode=mode), RegionOverlaps(), RegionOverlaps()
    metrics.update(maps, masks)
    regions.update(maps[:7], masks[:7], names[:7])
    other.update(maps[7:], masks[7:], names[7:])
    rates = (0.0, 0.05, 0.3, 1.0)
    table = regions.merge(other).table(metrics.groups(), rates)
    normal = np.sort(maps[~masks])
    expected = []
    for index in range(12):
        for region in regions_of(maps[index], masks[index]):
            fpr = np.array([(normal >= score).mean() for score in np.sort(maps[masks])])
            cuts = [np.sort(maps[masks])[fpr <= rate].min(initial=np.inf) for rate in rates]
            expected.append((names[index], region.size, [(region >= cut).mean() for cut in cuts]))
    assert [(row.image, row.area) for row in table] == sorted(one[:2] for one in expected)
    assert max(row.area for row in table) > KEPT
    by_area = {(image, area): overlaps for image, area, overlaps in expected}
    for row in table:
        assert row.fraction == row.area / 60**2
        tolerance = (0 if row.area <= KEPT else 1 / KEPT) + (0 if mode == "exact" else 1 / row.area)
        if sum(other[:2] == (row.image, row.area) for other in expected) == 1:
            assert row.overlaps == pytest.approx(by_area[row.image, row.area], abs=tolerance + 1e-12)
        assert row.overlaps[-1] == 1
    with pytest.raises(ValueError, match="limit must lie"):
        regions.table(metrics.groups(), [1.5])
    with pytest.raises(ValueError, match="12 images but 1 names"):
        regions.update(maps, masks, ["one"])
