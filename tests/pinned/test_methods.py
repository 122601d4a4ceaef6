"""A shipped method may not give other numbers under the same version."""

import pytest
import torch

from zsadbench.registry import method_card
from zsadbench.types import Batch, FewShot, Trainable, WholeClass

METHODS = (
    *(
        "aaclip",
        "adaclip",
        "afclip",
        "afclip-memory",
        "anomalyclip",
        "aprilgan",
        "clip",
        "colour-distance",
        "faprompt",
        "fbclip",
        "mfpclip",
        "token-distance",
    ),
    *("anomalydino", "mrad-tf", "musc", "patchcore"),
    "promptad",
    "winclip",
)


def outputs(name, backbone, images):
    """Scores, some pixels of maps, and losses of a method with its initial values on three random images."""
    card = method_card(name)
    options = card.options()
    torch.manual_seed(0)
    detector = card.build(backbone, options)
    words, taps = ("bottle", "skin lesion", "bottle"), card.taps(options)

    def encode(some):
        return detector.encode(some, words[: len(some)]) if taps.own_encoding else backbone.vision(some, taps)

    if isinstance(detector, WholeClass) and name == "musc":
        several = torch.cat([images.roll(shift, dims=-1) for shift in (0, 5)])
        with torch.inference_mode():
            detector.gather(backbone.vision(several, taps))
            scores = list(detector.score_class())
        return {"image": torch.cat([one.image for one in scores]), "pixel": scores[4].pixel.flatten()[::97]}
    with torch.inference_mode():
        tokens = encode(images)
        if card.needs_shots(options):
            detector.remember(encode(images.flip(-1)))
        scores = detector.score(tokens, words)
    values = {"image": scores.image, "pixel": scores.pixel.flatten(1)[:, ::7]}
    if isinstance(detector, FewShot) and not card.needs_shots(options):
        with torch.inference_mode():
            detector.remember(encode(images[:1]))
            values["few_shot"] = detector.score(tokens, words).image
            detector.remember(encode(images[:0]))
    if isinstance(detector, Trainable):
        with torch.no_grad():
            tokens = encode(images)
        masks = torch.zeros(len(images), *images.shape[2:])
        masks[1:, 10:40, 20:50] = 1.0
        losses = detector.loss(tokens, Batch(images, masks, torch.tensor([0, 1, 1]), words))
        values |= {f"loss_{part}": loss.detach() for part, loss in losses.items()}
    return values


@pytest.mark.parametrize("name", METHODS)
def test_a_change_of_results_needs_a_new_version(name, tiny_backbone, tiny_images, check_pinned):
    check_pinned(name, method_card(name).version, outputs(name, tiny_backbone, tiny_images))
