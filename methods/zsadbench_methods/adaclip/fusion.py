"""Hybrid semantic fusion: patches that look abnormal are clustered, and become a feature of the whole image.

    published code:  centres of all clusters of the most abnormal patches, each of the same weight
    paper:           centre of the cluster with the highest mean probability, among those of all patches

Both are a weighted mean of patches, whose weights carry no gradient.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from zsadbench_methods.adaclip.options import Options


class Clustered(NamedTuple):
    """Clustered patches of a batch.

    Attributes:
        patches: int64 (batch, n), their numbers, the most abnormal first.
        labels: int64 (batch, n), the number of the cluster of each.
        weights: float32 (batch, n), their share in the feature of the image; the sum is 1.
    """

    patches: Tensor
    labels: Tensor
    weights: Tensor


def cluster_patches(features: Tensor, probability: Tensor, options: Options) -> Clustered:
    """Cluster the patches of every image by itself.

    Args:
        features: (batch, layers, grid², joint), unit rows.
        probability: (batch, grid²), of "abnormal".
        options: which patches, how many clusters, and the seed.
    """
    features, probability = features.detach(), probability.detach()
    published = options.hsf == "all_clusters"
    count = options.clusters * options.patches_per_cluster if published else probability.shape[1]
    patches = probability.sort(dim=1, descending=True, stable=True).indices[:, :count]  # (batch, n)
    labels, weights = [], []
    for image, some, abnormal in zip(features, patches, probability, strict=True):
        chosen = image[:, some]  # (layers, n, joint)
        rows = chosen.transpose(0, 1).flatten(1) if published else chosen.mean(dim=0)
        labels.append(_kmeans(rows, options).to(patches.device))
        weights.append(_weights_of_all(labels[-1]) if published else _weights_of_highest(labels[-1], abnormal[some]))
    return Clustered(patches, torch.stack(labels), torch.stack(weights))


def _kmeans(rows: Tensor, options: Options) -> Tensor:
    """Run k-means from one k-means++ start, on the CPU: (n, width) → labels, int64 (n,).

    With fewer rows than clusters, every row is a cluster; equal rows leave clusters empty.
    """
    clusters = min(options.clusters, len(rows))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters
        fitted = KMeans(clusters, n_init=1, random_state=options.kmeans_seed).fit(rows.cpu().numpy())
    return torch.from_numpy(fitted.labels_.astype(np.int64))


def _weights_of_all(labels: Tensor) -> Tensor:
    """Give every cluster that has patches the same weight, and its patches equal shares of it."""
    sizes = labels.bincount()
    return 1 / (sizes[labels] * (sizes > 0).sum())


def _weights_of_highest(labels: Tensor, abnormal: Tensor) -> Tensor:
    """Give the patches of the cluster with the highest mean probability equal weights, and all others none."""
    sizes = labels.bincount()
    means = torch.zeros(len(sizes), device=labels.device).index_add_(0, labels, abnormal) / sizes.clamp_min(1)
    highest = labels == means.argmax()
    return highest / highest.sum()


def fused_feature(features: Tensor, clustered: Clustered) -> Tensor:
    """Average the clustered patches over layers and by their weights: (batch, joint), unit rows.

    `features` is (batch, layers, grid², joint); gradients pass.
    """
    index = clustered.patches.unsqueeze(-1).expand(-1, -1, features.shape[-1])
    chosen = features.mean(dim=1).gather(1, index)  # (batch, n, joint)
    return normalize((clustered.weights.unsqueeze(-1) * chosen).sum(dim=1), dim=-1)
