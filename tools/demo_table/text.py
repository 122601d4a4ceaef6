"""The sentences of the page around its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zsadbench_datasets.demo.families import SEEN_KINDS, UNSEEN_KINDS, SetName, families_of

INTRODUCTION = """\
`make demo` trains FB-CLIP on `demo-aux` and evaluates it on `demo`, both drawn on the spot, with a small
image-text model that is shipped in place of CLIP. It shows that the machinery works, from images to tables. It
says nothing about how methods rank with CLIP on real images: the same people made the pictures, the backbone and
the harness, so its records carry `comparable: false` and enter no mean, rank or gap.

The page is written by `python tools/demo_table --seed 0,1,2 --out demo-output/results --write docs/demo.md`, which
trains AnomalyCLIP and AF-CLIP as well. Another processor or number of threads rounds otherwise, and a short training
carries that far: a seed may then differ by points."""

CONTROLS = """\
`clip` compares every token with two sentences. `token-distance` and `colour-distance` learn nothing and read no
text: the distance of a patch's token, or of its mean colour, to the mean of its image. *Untrained* is FB-CLIP with
its initial values, *permuted* is FB-CLIP trained with masks and labels dealt out anew between the images. *Seen*
are kinds of defect that occur in `demo-aux` as well, with other parameters; *unseen* are those that do not.
All figures are percent; of several seeds the mean with the smallest and the largest."""

GAINS = """\
Points of every trained method above the floor, or below it, on all kinds of defect: the mean over the seeds, and each
seed in brackets."""

REASONS = """\
Where FB-CLIP stays below `clip`, this is what is known of the reason. Its FB-Attention begins at random and has no
residual path: what a token says reaches the score only through what 192 images and 192 steps have taught (the paper:
1,725 images, 860 steps). The backbone, in turn, learned the words *normal* and *damaged* on regions of drawn pictures
with the same kinds of defect, so `clip` begins high, on classes held out of `demo-aux` too (the last table)."""

HELD_OUT = """\
The recipes were chosen on `demo-aux` alone: learning from a texture and an object of it and scored on the other two
classes, both ways, seed 0. `python tools/demo_recipe` repeats these figures, `--write` keeps them in its folder. What
the recipe takes is set in bold: for AnomalyCLIP and AF-CLIP the best of the table, for FB-CLIP what had been settled
before and lets `make demo` end within three minutes. None was changed after the first look at `demo`."""

RULES = """\
Rules that keep the demo from flattering a method:

- No texture family and no object shape serves two of the three uses, and no image is drawn twice (a test reads this
  off the generator):
{families}
- Kinds of defect seen in `demo-aux`: {seen}. Only in `demo`: {unseen}. Pretraining draws the seen ones only.
- Generator and backbone were frozen, their hashes committed, before any method was scored on `demo`. Everything
  that was chosen (size of the backbone, length of its training, the recipe below) was chosen on `demo-aux`."""

BACKBONE = """\
The backbone is made by `python tools/demo_backbone --out zsadbench/clip/demo`: {steps} steps of {batch} drawn
pictures with captions, CLIP's loss over whole images and {boxes} regions of each, {cpu:.0f} CPU minutes
({wall:.0f} minutes on {threads} cores). Its weights are fp16, SHA-256 `{sha}…`.

Recipes on `demo-aux`, all else as published:

{recipes}"""


def how_it_was_made(made: Mapping[str, Any], recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """The rules, how the backbone was trained, and the recipe of every method."""
    users: tuple[SetName, ...] = ("pretraining", "demo-aux", "demo")
    families = "\n".join(
        f"  - {set_name}: {', '.join(family.name for family in families_of(set_name))}" for set_name in users
    )
    rules = RULES.format(families=families, seen=", ".join(SEEN_KINDS), unseen=", ".join(UNSEEN_KINDS))
    settings = made["settings"]
    how = BACKBONE.format(
        **{name: settings[name] for name in ("steps", "batch", "boxes", "threads")},
        cpu=made["cpu_minutes"],
        wall=made["wall_minutes"],
        sha=made["sha256"][:16],
        recipes="\n".join(f"- `{name}`: {_told(recipe)}" for name, recipe in recipes.items()),
    )
    return f"{rules}\n\n{how}"


def _told(recipe: Mapping[str, Any]) -> str:
    epochs = f"{recipe['epochs']} epoch{'s' if recipe['epochs'] > 1 else ''}"
    return f"{epochs}, batch {recipe['batch']}, learning rate {recipe['lr']:g}"
