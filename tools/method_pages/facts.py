"""The facts of one method, and of all methods, in Markdown."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files

from method_pages.sizes import trained_parts
from zsadbench.clip.config import find_config
from zsadbench.clip.macs import tower_macs
from zsadbench.compare.printed_papers import papers
from zsadbench.types import Macs, MethodCard, Recipe, Taps

BACKBONE, SIZE = "ViT-L-14-336", 518
NATIVE, NATIVE_SIZE = "ViT-B-16-plus-240", 240  # of methods that have the size of the backbone by default
WAYS = {"original": "by the authors of the method", "unknown": "of unknown making"}


def facts_of(card: MethodCard) -> str:
    """Make the section of one method."""
    lines = ["## In short", "", "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in _rows(card)), ""]
    lines += [f"Cost per image with {_where(card)}, in 10⁹ multiply-accumulates. The closed form of the card is"]
    lines += ["checked against a counter of what is executed (`tests/methods/test_macs.py`).", "", *_cost(card), ""]
    lines += ["Numbers printed in papers, which ship with the package and stand in reports:", "", *_published(card)]
    return "\n".join(lines)


def overview(cards: Sequence[MethodCard], pages: Sequence[str]) -> str:
    """Make the table of all methods; `pages` are the names of those that have one."""
    rows = [
        "| method | paper | trained parameters | 10⁹ multiply-accumulates per image | few shots |",
        "|---|---|---|---|---|",
    ]
    for card in cards:
        name = f"[`{card.name}`](methods/{card.name}.md)" if card.name in pages else f"`{card.name}`"
        trained = sum(_trained(card).values())
        encoder, head, _ = _sums(card)
        rows.append(
            f"| {name} | {_paper(card)} | {f'{trained:,}' if trained else 'none'} | {_giga(encoder + head)} | "
            f"{'yes' if card.few_shot else 'no'} |"
        )
    return "\n".join(rows)


def _paper(card: MethodCard) -> str:
    if card.paper.venue == "none":
        return "–"
    return f"{card.paper.venue} {card.paper.year}{', unofficial' if card.unofficial else ''}"


def _rows(card: MethodCard) -> Iterator[tuple[str, str]]:
    """Names and values of the card."""
    taps = card.taps(card.options())
    yield "published", _paper(card)
    yield "reads", _reads(taps)
    yield "activation, positions, images", f"{taps.activation}, {taps.position}, {taps.preprocessing}"
    parts = _trained(card)
    found = "; ".join(f"`{part}` {count:,}" for part, count in parts.items())
    yield "trained parameters", f"{sum(parts.values()):,}: {found}" if parts else "none"
    recipe = card.recipe
    if recipe is not None:
        yield "training", _training(recipe)
    yield "smoothing of maps", f"Gaussian, sigma {card.smoothing:g} pixels" if card.smoothing else "none"
    yield "few shots", "yes" if card.few_shot else "no"
    step = card.transductive(card.options()) if card.transductive is not None else None
    if step is not None:
        yield f"{'scores and maps' if step.whole_class else 'image scores'} of the whole class", step.description
    yield "protocols", ", ".join(f"`{protocol.name}`" for protocol in card.protocols) or "those of all methods"
    yield "published weights", "are imported" if card.official and card.recipe and not card.recipe.one_pass else "none"


def _reads(taps: Taps) -> str:
    """What the method reads of the image encoder."""
    found = []
    if taps.own_encoding:
        found.append("works inside the encoders")
    if taps.blocks:
        found.append(f"blocks {', '.join(map(str, taps.blocks))}")
    if taps.value_blocks:
        found.append(f"value-value path from block {taps.value_from}, after {', '.join(map(str, taps.value_blocks))}")
    return "; ".join([*found, *(["mean colours of patches"] if taps.colours else [])])


def _training(recipe: Recipe) -> str:
    """The recipe, stage after stage."""
    if recipe.one_pass:
        return f"one pass over the auxiliary set in batches of {recipe.batch}; nothing is optimised"
    epochs = [f"{count} on {aux}" for aux, count in recipe.epochs.items() if not aux.startswith("demo")]
    epochs.append(f"{recipe.epochs_else}{' else' if epochs else ''}")
    decay = f", weight decay {recipe.weight_decay:g}" if recipe.weight_decay else ""
    steps = f"momentum {recipe.momentum:g}" if recipe.optimiser == "sgd" else f"betas {recipe.betas}"
    changed = "".join(f"; mosaics on {aux}" for aux, fields in recipe.on.items() if fields.get("mosaic"))
    own = (
        f"{f'{recipe.stage}: ' if recipe.stage else ''}{recipe.loss}; {recipe.optimiser}, learning rate {recipe.lr:g}, "
        f"{steps}{decay}, batches of {recipe.batch}, epochs: {', '.join(epochs)}{changed}"
    )
    return f"{_training(recipe.before)}; then {own}" if recipe.before else own


def _size(card: MethodCard) -> tuple[str, int]:
    return (NATIVE, NATIVE_SIZE) if card.native_size else (BACKBONE, SIZE)


def _where(card: MethodCard) -> str:
    name, size = _size(card)
    return f"{name} at {size} pixels"


def _trained(card: MethodCard) -> dict[str, int]:
    return trained_parts(card, *_size(card)) if card.recipe else {}


def _macs(card: MethodCard) -> tuple[int, Macs]:
    """The encoder's multiply-accumulates, and what the closed form of the method says."""
    name, size = _size(card)
    config, options = find_config(name), card.options()
    if card.macs is None:
        raise ValueError(f"'{card.name}' has no closed form of its cost")
    found = card.macs(config, options, size // config.vision.patch_size)
    return tower_macs(config, size, card.taps(options)) if found.tower is None else found.tower, found


def _sums(card: MethodCard) -> tuple[int, int, int]:
    """The encoder, the head as it is executed, and the text."""
    encoder, found = _macs(card)
    return encoder, sum(found.executed.values()), found.text


def _giga(count: int) -> str:
    """A number in 10⁹, with three digits."""
    return f"{count / 1e9:.3g}" if count < 1e11 else f"{count / 1e9:.0f}"


def _cost(card: MethodCard) -> Iterator[str]:
    """The table of the closed form; `tests/methods/test_macs.py` compares it with a counter of what is executed."""
    encoder, found = _macs(card)
    yield "| part | as published | as computed here |"
    yield "|---|---|---|"
    yield f"| image encoder | {_giga(encoder)} | {_giga(encoder)} |"
    for part in {**found.image, **found.executed}:
        cells = [_giga(counts[part]) if part in counts else "–" for counts in (found.image, found.executed)]
        yield f"| {part} | {' | '.join(cells)} |"
    if found.text:
        yield f"| text encoder, once per set of weights or class | {_giga(found.text)} | {_giga(found.text)} |"


def _published(card: MethodCard) -> Iterator[str]:
    """Which papers print numbers of the method, in which tables, and who computed them."""
    counts: Counter[tuple[str, str]] = Counter()
    tables: dict[tuple[str, str], set[str]] = {}
    for paper in (name for name, about in papers().items() if not about.origin):
        with files("zsadbench").joinpath(f"published/{paper}.csv").open(encoding="utf-8") as opened:
            for row in csv.DictReader(opened):
                if row["method"] == card.name:
                    key = paper, row["computed_by"]
                    counts[key] += 1
                    tables.setdefault(key, set()).add(row["table"])
    if not counts:
        yield "none."
    for (paper, way), count in counts.items():
        label, source = papers()[paper].label, papers().get(way.removeprefix("copied from "))
        known = f"copied from {source.label}" if source else WAYS.get(way, way)
        numbers = ", ".join(sorted(tables[paper, way], key=lambda table: (len(table), table)))
        yield f"- {label}, table{'s' * (',' in numbers)} {numbers}: {count}, {known}"
