"""Metrics that no package provides, written from their definitions, and the reference values for errors."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Maps = NDArray[np.float32]
Masks = NDArray[np.uint8]
CORNERS = np.ones((3, 3))
LIMIT = 0.3


def aupro_by_sorting(maps: Maps, masks: Masks) -> float:
    """AUPRO as in the official evaluation of MVTec AD: all pixels sorted once, two running sums.

    Source: P. Bergmann et al., IJCV 129 (2021), section 5. Every pixel is a step of the curve: a normal one to the
    right by 1 / (normal pixels), an anomalous one upwards by 1 / (area of its region · number of regions).
    """
    right, up = np.zeros(maps.shape), np.zeros(maps.shape)
    regions = 0
    for index, mask in enumerate(masks):
        labels, number = ndimage.label(mask, CORNERS)
        areas = np.bincount(labels.ravel())
        up[index] = np.where(labels > 0, 1 / areas[labels], 0)
        right[index] = labels == 0
        regions += number
    order = np.argsort(maps, axis=None)[::-1]
    scores = maps.ravel()[order]
    fpr = np.cumsum(right.ravel()[order]) / right.sum()
    pro = np.cumsum(up.ravel()[order]) / regions
    last = np.append(scores[1:] != scores[:-1], True)
    return _area(np.append(0, fpr[last]), np.append(0, pro[last]))


def _area(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    inside = x <= LIMIT
    x, y = np.append(x[inside], LIMIT), np.append(y[inside], np.interp(LIMIT, x, y))
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum() / LIMIT)


def aupro_by_200_thresholds(maps: Maps, masks: Masks) -> float:
    """AUPRO as FB-CLIP and AnomalyCLIP publish it: 200 thresholds, with the masks labelled again at each."""
    low, high = maps.min(), maps.max()
    fpr, pro = [], []
    for threshold in np.arange(low, high, (high - low) / 200):
        flagged = maps > threshold
        overlaps = []
        for image, mask in zip(flagged, masks, strict=True):
            labels, number = ndimage.label(mask, CORNERS)
            for region, box in enumerate(ndimage.find_objects(labels, number), 1):
                inside = labels[box] == region
                overlaps.append(image[box][inside].sum() / inside.sum())
        fpr.append((flagged & (masks == 0)).sum() / (masks == 0).sum())
        pro.append(np.mean(overlaps))
    x, y = np.array(fpr), np.array(pro)
    kept = x < LIMIT
    x, y = x[kept], y[kept]
    x = (x - x.min()) / (x.max() - x.min())
    return float(((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2).sum())


def oracle(maps: Maps, masks: Masks) -> dict[str, float]:
    """Return AUROC, average precision and AUPRO from sorted scores, summed in integers and in extended precision."""
    area = np.empty(int(masks.sum()), np.int64)
    start = regions = 0
    for mask in masks:
        labels, number = ndimage.label(mask, CORNERS)
        inside = labels[labels > 0]
        area[start : start + inside.size] = np.bincount(labels.ravel())[inside]
        start, regions = start + inside.size, regions + number
    anomalous, normal = maps[masks > 0], np.sort(maps[masks == 0])
    order = np.argsort(anomalous)[::-1]
    anomalous, area = anomalous[order], area[order]
    greater = normal.size - np.searchsorted(normal, anomalous, "right")
    equal = normal.size - np.searchsorted(normal, anomalous, "left") - greater
    detected = anomalous.size - np.searchsorted(anomalous[::-1], anomalous, "left")
    wins = 2 * (normal.size - greater - equal) + equal
    allowed = np.longdouble(LIMIT) * normal.size
    room = np.maximum(allowed - greater, 0)
    ramp = np.where(equal <= room, room - equal / np.longdouble(2), room**2 / (2 * np.maximum(equal, 1)))
    precision = detected / (detected + greater + equal).astype(np.longdouble)
    return {
        "auroc": float(int(wins.sum()) / (2 * normal.size * anomalous.size)),
        "ap": float(precision.sum() / anomalous.size),
        "aupro": float((ramp / area).sum() / (allowed * regions)),
    }
