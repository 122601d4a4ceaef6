"""The text of the page around its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demo_table.runs import WORDS
from zsadbench_datasets.demo.families import SET_NAMES, families_of
from zsadbench_datasets.demo.kinds import SEEN_KINDS, UNSEEN_KINDS

INTRODUCTION = """\
`make demo` trains FB-CLIP on `demo-aux` and evaluates it on `demo`. Both sets are generated on first use, and a small
image-text model, which is part of the package, takes the place of CLIP. The demo shows what the methods are for: plain
CLIP recognises and localises defects badly, and what a method learns on some products carries over to others. It says
nothing about how methods rank with CLIP on real images: images, backbone and harness come from the same authors. Its
records are therefore marked `comparable: false` and enter no mean, rank or gap.

This page is written by `python tools/demo_table --all --seed 0,1,2 --out demo-output/results --write docs/demo.md`. The
same command gives the same tables on one machine. On another processor or with another number of threads, results round
differently; in a short training the differences grow, and the result of one seed may change by some points."""

GAINS = """\
Differences of every trained method to `clip` and to the same method with its initial values, in percentage points on
all kinds of defect: the smallest over the seeds, and each seed in brackets. The aim for `fbclip`, `afclip` and
`anomalyclip`, set before any method was scored on `demo`, was at least 5 points of pixel AUROC and of AUPRO over both,
with every seed."""

ONE_LOOK = """\
Nothing was changed after this look. The other methods came later, with recipes that were chosen in the same way,
and were scored on `demo` once; there is no aim for them. The last table of this page has the same recipes on held-out
families of `demo-aux`, where all kinds of defect are seen kinds: there the mean differences to `clip` are larger."""

CONTROLS = f"""\
`clip` compares every token with the sentences *a photo of a normal …* and *a photo of a damaged …*; no caption of its
text tower's training says either, as hardly a caption of CLIP's does. *Untrained* is a method with its initial values.
*Masks permuted* is a method trained with masks and labels exchanged randomly between images, with seed 0 alone. *Told
the kinds* is `clip` with the sentence
*{WORDS.format("…")}*
for anomalous images: it is told what the defects are called, which is no zero-shot detection. `token-distance` and
`colour-distance` are not trained and use no text: the score of a patch is the distance of its token, or of its mean
colour, to the mean of the image. *Seen* kinds of defect also occur in `demo-aux`, with other parameters; *unseen* kinds
occur nowhere else. All numbers are percent; for several seeds, the mean with the smallest and the largest value."""

PERMUTED = """\
Permuted masks are no clean control here. Masks of defects cover little of an image, so that even masks of other images
teach that what is common is normal; in this backbone, what is uncommon often is a defect. The benign marks, which are
uncommon too, are there against this shortcut, and do not close it: `token-distance`, which knows neither text nor
masks, has more AUPRO than FB-CLIP and AF-CLIP, and the maps of FB-CLIP, AF-CLIP and AnomalyCLIP also rise on stickers
and prints. The control that a method must beat clearly is therefore the untrained one."""

TIME = """\
`make demo` takes two minutes on 2 cores of an AMD EPYC, after the installation, while other programs run:

| part | seconds |
| --- | --- |
| start, and generating both sets | 12 |
| FB-CLIP: training on `demo-aux`, one epoch of 168 steps | 87 |
| FB-CLIP: scoring `demo` and metrics | 16 |
| beside it, on the second core: untrained FB-CLIP | 31 |
| beside it, on the second core: `clip` | 6 |
| tables and heat maps | 2 |"""

HELD_OUT = """\
Pixel AUROC / AUPRO in percent on families held out of `demo-aux`: the eight that the backbone's captions do not have
either are split into two folds; a method is trained on all families but one fold and scored on that fold, then likewise
with the other; means over families and seeds 0, 1, 2. The recipe is the best of a method's settings in the sum of both
metrics, and bold. `python tools/demo_recipe` repeats these measurements; `--write` stores them in its folder. The
settings are few and cheap, around the published learning rate and with a fraction of the published epochs. For
`mfpclip`, a learning rate of 0.003 was given up after seed 0 (59.9 / 25.5 after one epoch, 69.0 / 35.7 after two). The
text stage of `aaclip`, which comes before the epochs of the table, is the published one."""

RULES = """\
Rules that keep the demo from favouring a method:

- The families of `demo` are in no other set, and no image is generated twice (tests check both). As with CLIP, the
  backbone may have seen what the auxiliary set shows:
{families}
- Kinds of defect of `demo-aux` and of the backbone's training: {seen}. Only in `demo`: {unseen}.
- Six of ten images of every set carry benign marks, normal and anomalous images alike: stickers, rivets, prints. They
  are in no mask.
- The generator and the backbone were frozen, and their hashes committed, before any method was scored on `demo`. All
  choices (captions, length of training, recipes) were made on `demo-aux`; nothing was changed after the first
  evaluation on `demo`. An earlier target, which had been looked at, is retired."""

BACKBONE = """\
The text tower of the backbone is trained by `python tools/demo_backbone --image-tower FILE`, with the image tower of
that file frozen: {steps} steps of {batch} generated images with captions, CLIP's loss over whole images and {boxes}
regions of each, {cpu:.1f} CPU minutes. Captions name the object or texture, its colours, the colour of the ground, and
in 70 % of the cases the kind of a defect ("scratch on a brick wall") or of a mark ("metal nut with a sticker"). They
never say that something is normal, good, damaged or broken: what a scratch looks like is in the backbone, that it is
bad is not. The weights are fp16, SHA-256 `{sha}…`.

The image tower is older. It was trained from initial values with another text tower on images of the same families (76
CPU minutes), and some of those captions did say *normal* or *damaged*, also of regions. Its tokens therefore tell
defects from normal surface better than those of a tower that was never told, although no sentence says which is which.
Training both towers from initial values on the new captions was tried and did not hold on held-out families of
`demo-aux`: after 1500 of 2000 steps, a supervised linear probe on its tokens had 79 pixel AUROC and 52 AUPRO (on those
of the shipped tower: 87 and 69), and `clip`, by chance, 74 and 39. So the demo is like the field in that plain CLIP
does not know what is meant, and unlike it in that the tokens of the image tower are unusually good at defects."""


def rules_text() -> str:
    """The rules, with the families and kinds of every set."""
    families = "\n".join(f"  - {name}: {', '.join(family.name for family in families_of(name))}" for name in SET_NAMES)
    return RULES.format(families=families, seen=", ".join(SEEN_KINDS), unseen=", ".join(UNSEEN_KINDS))


def backbone_text(made: Mapping[str, Any]) -> str:
    """How the backbone was trained; `made` is the content of its made.json."""
    settings = {name: made["settings"][name] for name in ("steps", "batch", "boxes")}
    return BACKBONE.format(**settings, cpu=made["cpu_minutes"], sha=made["sha256"][:16])


def recipes_text(recipes: Mapping[str, Mapping[str, Any]]) -> str:
    """The recipe of every method on `demo-aux`."""
    lines = "\n".join(f"- `{name}`: {_recipe_text(recipe)}" for name, recipe in recipes.items())
    return f"Recipes on `demo-aux`; everything else is as published:\n\n{lines}"


def _recipe_text(recipe: Mapping[str, Any]) -> str:
    epochs = f"{recipe['epochs']} epoch{'s' if recipe['epochs'] > 1 else ''}"
    first = f"; before it, as published, the {recipe['before']['stage']} stage" if recipe.get("before") else ""
    return f"{epochs}, batch {recipe['batch']}, learning rate {recipe['lr']:g}{first}"
