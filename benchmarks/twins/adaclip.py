"""AdaCLIP's head in the order of the published code: image by image, both logits enlarged, clusters one by one."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.cluster import KMeans
from torch import Tensor
from torch.nn.functional import interpolate

from zsadbench.types import Scores, Tokens


def unit(features: Tensor) -> Tensor:
    """Divide by the length of the last axis."""
    return features / features.norm(dim=-1, keepdim=True)


def fused(features: list[Tensor], abnormal: Tensor, options: Any) -> Tensor:
    """Average the centres of all clusters of the most abnormal patches: (layers × (grid², joint)) → (joint,)."""
    count = min(options.clusters * options.patches_per_cluster, len(abnormal))
    chosen = [layer[abnormal.topk(count).indices] for layer in features]
    kmeans = KMeans(min(options.clusters, count), n_init=1, random_state=options.kmeans_seed)
    labels = kmeans.fit(torch.cat(chosen, dim=1).cpu().numpy()).labels_
    centres = []
    for number in sorted(set(labels)):
        of_cluster = torch.from_numpy(labels == number).to(abnormal.device)
        centres.append(torch.cat([layer[of_cluster] for layer in chosen]).mean(dim=0))
    return unit(torch.stack(centres).mean(dim=0))


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, size, size), for the default options; the text is among the tokens."""
    options, network, size = detector.options, detector.network, detector.backbone.image_size
    images, maps = [], []
    for row, cls in enumerate(tokens.parts["class_token"]):
        of_image = unit(tokens.parts["text_features"][row]).T  # (joint, 2)
        features, logits = [], []
        for linear, layer in zip(network.patches, tokens.layers, strict=True):
            features.append(unit(linear(layer[row])[1:]))  # the class token is left out afterwards
            logits.append(100 * features[-1] @ of_image)  # (grid², 2)
        grids = [each.T.reshape(1, 2, tokens.grid, tokens.grid) for each in logits]
        enlarged = [interpolate(grid, size, mode="bilinear", align_corners=True) for grid in grids]
        probability = torch.stack(enlarged).mean(dim=0).softmax(dim=1)[0]
        maps.append((probability[1] + 1 - probability[0]) / 2)
        abnormal = torch.stack(logits).mean(dim=0).softmax(dim=-1)[:, 1]
        share, feature = options.hsf_share, unit(network.class_token(cls))
        mixed = unit(share * fused(features, abnormal, options) + (1 - share) * feature)
        images.append((100 * mixed @ of_image).softmax(dim=-1)[1])
    return Scores(torch.stack(images), torch.stack(maps))
