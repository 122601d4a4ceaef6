"""FAPrompt's head in the order of the published code: image by image, all eleven sentences encoded in each pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from zsadbench.types import Scores, Tokens


def encode(detector: Any, prior: Tensor) -> Tensor:
    """Encode all sentences over all positions of the text tower: (1 + prompts, joint), not normalised."""
    text, prompts, options = detector.backbone.text, detector.network.prompts, detector.options
    words = (f"{options.class_word}.", f"{options.damage_word} {options.class_word}.")
    shared, count = options.context, options.context + options.abnormal_context
    ids = text.tokenize([f"{'X ' * shared}{words[0]}"] + options.prompts * [f"{'X ' * count}{words[1]}"])
    embedded = text.embed(ids).clone()  # (1 + prompts, 77, width)
    embedded[:, 1 : 1 + shared] = prompts.normal
    embedded[1:, 1 + shared : 1 + count] = prompts.abnormal + prior
    deep = [prompt.expand(len(ids), -1, -1).half().float() for prompt in prompts.deep]
    states = text(embedded, deep=deep)
    features: Tensor = states[torch.arange(len(ids), device=ids.device), ids.argmax(dim=1)] @ text.projection
    return features


def both(sentences: Tensor) -> Tensor:
    """Average the abnormal sentences and normalise: (2, joint)."""
    text = torch.stack([sentences[0], sentences[1:].mean(dim=0)])
    return text / text.norm(dim=-1, keepdim=True)


def score(detector: Any, tokens: Tokens, text: Tensor) -> Scores:
    """Image scores (batch,) and maps (batch, grid, grid), for the default options; `text` is not used."""
    vision, options, network = detector.backbone.vision, detector.options, detector.network
    images, maps = [], []
    for cls, layer in zip(tokens.layers[-1][:, 0], tokens.value_layers[0], strict=True):
        image = cls @ vision.projection
        image = image / image.norm()
        patches = vision.norm(layer) @ vision.projection
        patches = (patches / patches.norm(dim=-1, keepdim=True))[1:]
        first_text = both(encode(detector, torch.zeros_like(network.prompts.normal[0])))
        first = (patches @ first_text.T / options.temperature).softmax(dim=-1)
        selected = patches[: options.selected].reshape(-1)
        hidden = (network.prior.linear1.weight @ selected + network.prior.linear1.bias).relu()
        second_text = both(encode(detector, network.prior.linear2.weight @ hidden + network.prior.linear2.bias))
        second = (patches @ second_text.T / options.temperature).softmax(dim=-1)
        probability = (image @ second_text.T / options.temperature).softmax(dim=-1)[1]
        largest = (2 * first[:, 1].max() + second[:, 1].max()) / 3
        images.append(0.5 * (probability + largest))
        quarter = (first[:, 1] + 1 - first[:, 0] + second[:, 1] + 1 - second[:, 0]) / 4
        maps.append(quarter.reshape(tokens.grid, tokens.grid))
    return Scores(torch.stack(images), torch.stack(maps))
