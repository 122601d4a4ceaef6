"""The sentences of PromptAD: words of a class, written states of an anomaly, and placeholders for learned vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zsadbench_methods.promptad.options import Options

NORMAL, ABNORMAL = "N", "A"  # placeholders, one token each
WORDS = {
    "macaroni1": "macaroni",
    "macaroni2": "macaroni",
    **dict.fromkeys(("pcb1", "pcb2", "pcb3", "pcb4"), "printed circuit board"),
    "pipe_fryum": "pipe fryum",
    "chewinggum": "chewing gum",
    "metal_nut": "metal nut",
}
GENERIC = (
    *("damaged {}", "flawed {}", "abnormal {}", "imperfect {}", "blemished {}"),
    *("{} with flaw", "{} with defect", "{} with damage"),
)
OF_CLASS = {  # what a class may be "with", in the spelling of the published code; separated by semicolons
    "bottle": "large breakage; small breakage; contamination",
    "toothbrush": "defect; anomaly",
    "carpet": "hole; color stain; metal contamination; thread residue; thread; cut",
    "hazelnut": "crack; cut; hole; print",
    "leather": "color stain; cut; fold; glue; poke",
    "cable": "bent wire; missing part; missing wire; cut; poke",
    "capsule": "crack; faulty imprint; poke; scratch; {} squeezed with compression",
    "grid": "breakage; thread residue; thread; metal contamination; glue; a bent shape",
    "pill": "color stain; contamination; crack; faulty imprint; scratch; abnormal type",
    "transistor": "bent lead; cut lead; damage; misplaced transistor",
    "metal_nut": "a bent shape; color stain; a flipped orientation; scratch",
    "screw": "manipulated front; scratch neck; scratch head",
    "zipper": "broken teeth; fabric border; defect fabric; broken fabric; split teeth; squeezed teeth",
    "tile": "crack; glue strip; gray stroke; oil; rough surface",
    "wood": "color stain; hole; scratch; liquid",
    "candle": "melded wax; foreign particals; extra wax; chunk of wax missing; weird candle wick; "
    "damaged corner of packaging; different colour spot",
    "capsules": "scratch; discolor; misshape; leak; bubble",
    "cashew": "breakage; small scratches; burnt; stuck together; spot",
    "chewinggum": "corner missing; scratches; chunk of gum missing; colour spot; cracks",
    "fryum": "breakage; scratches; burnt; colour spot; fryum stuck together; colour spot",
    **dict.fromkeys(
        ("macaroni1", "macaroni2"), "color spot; small chip around edge; small scratches; breakage; cracks"
    ),
    **dict.fromkeys(("pcb1", "pcb2", "pcb3"), "bent; scratch; missing; melt"),
    "pcb4": "scratch; extra; missing; wrong place; damage; burnt; dirt",
    "pipe_fryum": "breakage; small scratches; burnt; stuck together; colour spot; cracks",
}


class Sentence(NamedTuple):
    """A sentence with placeholders, and which learned contexts take their place; `abnormal` is None for no such one."""

    text: str
    normal: int
    abnormal: int | None = None


def states_of(class_name: str, options: Options) -> list[str]:
    """List the written states of an anomaly, with `{}` for the word of the class; some repeat, as published.

    >>> states_of("toothbrush", Options())[7:]
    ['{} with damage', '{} with defect', '{} with anomaly']
    """
    own = OF_CLASS.get(class_name, "") if options.states == "class" else ""
    listed = [state.strip() for state in own.split(";") if state.strip()]
    return [*GENERIC, *(state if "{}" in state else f"{{}} with {state}" for state in listed)]


def sentences_of(class_name: str, options: Options, normal: int) -> tuple[Sequence[Sentence], ...]:
    """Write the sentences of a class with so many normal contexts: the families normal, written, learned."""
    word, begin = WORDS.get(class_name, class_name), " ".join([NORMAL] * options.context)
    abnormal = " ".join([ABNORMAL] * options.abnormal_context)
    ending = f"{abnormal} {word}." if options.abnormal_place == "before" else f"{word} {abnormal}."
    pairs = [(k % normal, k % options.abnormal) for k in range(normal * options.abnormal)]
    if options.pairing == "all":
        pairs = [(i, k) for k in range(options.abnormal) for i in range(normal)]
    return (
        [Sentence(f"{begin} {word}.", i) for i in range(normal)],
        [Sentence(f"{begin} {s.format(word)}.", i) for s in states_of(class_name, options) for i in range(normal)],
        [Sentence(f"{begin} {ending}", i, k) for i, k in pairs],
    )
