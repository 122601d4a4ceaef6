"""The text of the page around its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsadbench_datasets.demo.families import SEEN_KINDS, SET_NAMES, UNSEEN_KINDS, families_of

INTRODUCTION = """\
`make demo` trains FB-CLIP on `demo-aux` and evaluates it on `demo`. Both sets are generated on first use, and a small
image-text model, which is part of the package, takes the place of CLIP. The demo shows that everything works, from
images to tables. It says nothing about how methods rank with CLIP on real images: images, backbone and harness come
from the same authors. Its records are therefore marked `comparable: false` and enter no mean, rank or gap.

This page is written by `python tools/demo_table --seed 0,1,2 --out demo-output/results --write docs/demo.md`, which
also trains AnomalyCLIP and AF-CLIP. On another processor or with another number of threads, results round differently;
in a short training the differences grow, and the result of one seed may change by some points."""

CONTROLS = """\
`clip` compares every token with two sentences. `token-distance` and `colour-distance` are not trained and use no text:
the score of a patch is the distance of its token, or of its mean colour, to the mean of the image. *Untrained* is
FB-CLIP with its initial values; *permuted* is FB-CLIP trained with masks and labels exchanged randomly between images.
*Seen* kinds of defect also occur in `demo-aux`, with other parameters; *unseen* kinds do not. All numbers are percent;
for several seeds, the mean with the smallest and the largest value."""

GAINS = """\
Difference of every trained method to the baseline `clip` in percentage points, on all kinds of defect: the mean over
seeds, and each seed in brackets."""

REASONS = """\
A known reason why FB-CLIP is below `clip`: its FB-Attention is initialised randomly and has no residual connection, so
tokens reach the score only through what it has learned from 192 images in 192 steps (the paper: 1,725 images, 860
steps). The backbone, on the other hand, has learned the words *normal* and *damaged* from regions of generated images
with the same kinds of defect. Therefore `clip` starts high, also on held-out classes of `demo-aux` (the last table)."""

HELD_OUT = """\
The recipes were chosen on `demo-aux` alone: each method was trained on one texture and one object and scored on the
other two classes, then the other way round, with seed 0. `python tools/demo_recipe` repeats these measurements;
`--write` stores them in its folder. The values of the recipe are bold: the best of the table for AnomalyCLIP and
AF-CLIP; for FB-CLIP the recipe chosen before, with which `make demo` finishes within three minutes. No recipe was
changed after the first evaluation on `demo`."""

RULES = """\
Rules that keep the demo from favouring a method:

- No texture family or object shape is used in two of the three sets, and no image is generated twice (a test checks
  this):
{families}
- Kinds of defect seen in `demo-aux`: {seen}. Only in `demo`: {unseen}. Pretraining uses only the seen kinds.
- Generator and backbone were frozen, and their hashes committed, before any method was scored on `demo`. All choices
  (size of the backbone, length of its training, the recipes below) were made on `demo-aux`."""

BACKBONE = """\
The backbone is trained by `python tools/demo_backbone --out zsadbench/clip/demo`: {steps} steps of {batch} generated
images with captions, CLIP's loss over whole images and {boxes} regions of each, {cpu:.0f} CPU minutes
({wall:.0f} minutes on {threads} cores). Its weights are fp16, SHA-256 `{sha}…`.

Recipes on `demo-aux`; everything else is as published:

{recipes}"""


def how_it_was_made(made: Mapping[str, Any], recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """Describe the rules, the training of the backbone, and the recipe of every method."""
    families = "\n".join(f"  - {name}: {', '.join(family.name for family in families_of(name))}" for name in SET_NAMES)
    rules = RULES.format(families=families, seen=", ".join(SEEN_KINDS), unseen=", ".join(UNSEEN_KINDS))
    settings = made["settings"]
    backbone = BACKBONE.format(
        **{name: settings[name] for name in ("steps", "batch", "boxes", "threads")},
        cpu=made["cpu_minutes"],
        wall=made["wall_minutes"],
        sha=made["sha256"][:16],
        recipes="\n".join(f"- `{name}`: {_recipe_text(recipe)}" for name, recipe in recipes.items()),
    )
    return f"{rules}\n\n{backbone}"


def _recipe_text(recipe: Mapping[str, Any]) -> str:
    epochs = f"{recipe['epochs']} epoch{'s' if recipe['epochs'] > 1 else ''}"
    return f"{epochs}, batch {recipe['batch']}, learning rate {recipe['lr']:g}"
