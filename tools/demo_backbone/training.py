"""Train the demo backbone, or its text tower alone, and write its files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import load_file

from demo_backbone.batches import batches
from demo_backbone.learning import (
    LARGEST_SCALE,
    START_SCALE,
    contrastive,
    optimiser,
    rate,
    region_features,
    text_features,
)
from demo_backbone.pictures import generate_images
from demo_backbone.settings import ARCHITECTURE, Settings
from demo_backbone.writing import write

EVERY = 50  # steps between two lines of progress


def new_clip(seed: int) -> Any:
    """Make an open_clip model of the architecture with initial values."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision, text = dict(ARCHITECTURE["vision"]), dict(ARCHITECTURE["text"])
    vision["head_width"] = vision["width"] // vision.pop("heads")
    torch.manual_seed(seed)
    return CLIP(
        ARCHITECTURE["embed_dim"],
        CLIPVisionCfg(**vision),
        CLIPTextCfg(**text),
        quick_gelu=ARCHITECTURE["quick_gelu"],
        init_logit_scale=float(np.log(START_SCALE)),
    )


def keep_image_tower(clip: Any, file: Path) -> None:
    """Give the model the image tower and the temperature of a file of weights, neither of which is trained."""
    state = {name: value.float() for name, value in load_file(file).items()}
    kept = {name: value for name, value in state.items() if name.startswith("visual.") or name == "logit_scale"}
    clip.load_state_dict({**clip.state_dict(), **kept})
    for name, parameter in clip.named_parameters():
        parameter.requires_grad_(name not in kept)


def train(settings: Settings, on_step: Callable[[int, float], None]) -> Any:
    """Train and return the model; `on_step` gets the number and the loss of every step."""
    pool = generate_images(settings.pool)
    torch.set_num_threads(settings.threads)
    clip, words = new_clip(settings.seed), SimpleTokenizer()
    if settings.image_tower:
        keep_image_tower(clip, Path(settings.image_tower))
    steps = optimiser(clip, settings)
    for number, batch in enumerate(batches(pool, settings)):
        for group in steps.param_groups:
            group["lr"] = rate(number, settings)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            images, texts = region_features(clip, batch), text_features(clip, words(batch.texts, 77))
        loss = contrastive(images, texts, clip.logit_scale.exp(), batch)
        steps.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        steps.step()
        with torch.no_grad():
            clip.logit_scale.clamp_(max=float(np.log(LARGEST_SCALE)))
        on_step(number + 1, float(loss.detach()))
    return clip


def run(settings: Settings, out: Path) -> None:
    """Train, print the progress, and write weights, architecture and `made.json` to `out`."""
    started, cpu, losses = time.monotonic(), time.process_time(), list[float]()

    def report(step: int, loss: float) -> None:
        losses.append(loss)
        if step % EVERY == 0 or step == settings.steps:
            minutes = (time.monotonic() - started) / 60
            print(
                f"step {step} of {settings.steps}: loss {np.mean(losses[-EVERY:]):.4f}, {minutes:.1f} min", flush=True
            )

    clip = train(settings, report)
    about = {
        "settings": settings.plain(),
        "wall_minutes": round((time.monotonic() - started) / 60, 1),
        "cpu_minutes": round((time.process_time() - cpu) / 60, 1),
        "loss": [round(float(np.mean(some)), 4) for some in (losses[:EVERY], losses[-EVERY:])],
    }
    write(clip, about, out)
    print(json.dumps(about))
