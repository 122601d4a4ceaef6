"""`zsadbench datasets list`, `show`, `check`, `fingerprint` and `synth`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Fields, Json, RequestFlags, examples, with_flags
from zsadbench.cli.shared.output import say, say_json, say_rows, table
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import DATA, OUTPUT, WHAT
from zsadbench.flags.forms import split as split_names

if TYPE_CHECKING:
    from zsadbench.data.cards.card import Expected
    from zsadbench.data.copies.check import Check
    from zsadbench.data.copies.mask_statistics import MaskStatistics

app = typer.Typer(no_args_is_help=True)


@app.command("list", epilog=examples("zsadbench datasets list", "zsadbench datasets list --json"))
def list_(json: Json = False) -> None:
    """Print every data set that has a card."""
    from zsadbench.data import all_cards

    header = ["name", "domain", "classes", "levels", "title"]
    rows = [(card.name, card.domain, str(len(card.classes)), "+".join(card.levels), card.title) for card in all_cards()]
    say_rows(header, rows, json=json)


@app.command(epilog=examples("zsadbench datasets show visa", "zsadbench datasets show mvtec"))
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="Data set.")]) -> None:
    """Print a card: classes and words, counts, licence, home page, where it is looked for."""
    from zsadbench.data import find_card

    card = find_card(name)
    lines = {
        "name": card.name,
        "title": card.title,
        "also called": ", ".join(card.names[1:]),
        "domain": card.domain,
        "levels": ", ".join(card.levels),
        "classes": ", ".join(card.classes),
        "words in prompts": _worded(card.words()),
        **{f"words of {method}": _worded(card.words(method)) for method in card.method_words},
        **{f"words of {method}": "the classes as they are" for method in card.folder_words},
        **{f"{split} images": _expected(expected) for split, expected in card.expected.items()},
        "other editions": ", ".join(card.editions),
        "cut from": ", ".join(card.collections),
        "licence": card.licence,
        "home page": card.homepage,
        "to get it": card.obtain,
        "doi": card.doi,
        "cite": card.cite,
        "layouts": ", ".join(layout.name for layout in card.layouts),
    }
    for key, value in lines.items():
        say(f"{key}: {value or '-'}")


def _worded(words: dict[str, str]) -> str:
    """The words of the classes that are not called so."""
    return "; ".join(f"{name}: {text}" for name, text in words.items() if text != name) or "the classes as they are"


def _expected(expected: Expected) -> str:
    normal, anomalous = expected.total or [sum(column) for column in zip(*expected.counts.values(), strict=True)]
    doubt = "" if expected.certain else " (not confirmed)"
    in_all = f", {expected.images} in all" if expected.images else ""
    return f"{normal} normal, {anomalous} anomalous{doubt}{in_all}"


@app.command(
    epilog=examples("zsadbench datasets check visa --data-root data", "zsadbench datasets check folder:photos --deep")
)
@with_flags
def check(
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Data sets, folder:PATH or csv:PATH.")],
    fields: Annotated[Fields, RequestFlags(RunRequest, "data_roots")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Splits to check (default: test, which is all that a run reads).", metavar="NAME", rich_help_panel=DATA
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every file; describe the masks.", rich_help_panel=DATA)
    ] = False,
    json: Json = False,
) -> None:
    """Say whether a copy is complete and right: per class, every fault with its path, how to get what is missing."""
    start_logging()
    from zsadbench.data.copies.check import check_copy

    found = [check_copy(name, fields.get("data_roots"), split or ["test"], deep=deep) for name in split_names(names)]
    for one in found:
        if json:
            say_json(_as_json(one))
        else:
            _print(one)
    if any(one.faults for one in found):
        raise typer.Exit(3)


def _as_json(found: Check) -> dict[str, object]:
    return {
        "name": found.card.name,
        "complete": not found.faults,
        "synthetic": found.synthetic,
        "root": str(found.root) if found.root else None,
        "layout": found.layout or None,
        "edition": found.edition or None,
        "fingerprint": found.fingerprint or None,
        "classes": {name: {"found": have, "expected": want} for name, (have, want) in found.classes.items()},
        "faults": found.faults,
        "notes": found.notes,
        "masks": found.masks.as_json() if found.masks else None,
        "licence": found.card.licence,
        "homepage": found.card.homepage,
        "obtain": found.card.obtain,
    }


def _print(found: Check) -> None:
    kind = "synthetic miniature" if found.synthetic else found.layout
    rows = [
        (name, *map(str, have), *(map(str, want) if want else ("-", "-")))
        for name, (have, want) in found.classes.items()
    ]
    if rows:
        header = ["class", "normal", "anomalous", "normal expected", "anomalous expected"]
        table(f"{found.card.name} ({kind}) in {found.root}", header, rows)
    for fault in found.faults:
        say(f"fault: {fault}")
    for note in found.notes:
        say(f"note: {note}")
    if found.masks is not None and found.masks.number:
        say(_described(found.masks))
    say(f"{found.card.name}: {'not complete' if found.faults else 'complete'}")
    if found.faults and found.card.homepage:
        about = f"; {found.card.obtain}" if found.card.obtain else ""
        say(f"get it from {found.card.homepage} (licence: {found.card.licence or 'not known'}){about}")


def _described(masks: MaskStatistics) -> str:
    marked = "" if masks.share is None else f", {100 * masks.share:.2f} % of their pixels anomalous"
    return (
        f"masks: {masks.number}, {len(masks.blank)} blank, {len(masks.grey)} with more than two grey values{marked}, "
        f"identity {masks.digest[:16]}"
    )


@app.command(
    epilog=examples("zsadbench datasets fingerprint visa", "zsadbench datasets fingerprint csv:parts.csv --deep --json")
)
@with_flags
def fingerprint(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set, folder:PATH or csv:PATH.")],
    fields: Annotated[Fields, RequestFlags(RunRequest, "data_roots allow_partial")],
    deep: Annotated[bool, typer.Option("--deep", help="Add the hash of all pixels.", rich_help_panel=DATA)] = False,
    json: Json = False,
) -> None:
    """Print the identity of the copy that a run would use, as records have it, and what its masks look like."""
    start_logging()
    from zsadbench.data import load_dataset
    from zsadbench.data.copies.fingerprint import content_fingerprint
    from zsadbench.data.copies.mask_statistics import mask_statistics

    found = load_dataset(name, fields.get("data_roots"), fields["allow_partial"])
    masks = mask_statistics(found.manifest, found.card.positive)
    content = content_fingerprint(found.manifest) if deep else None
    if json:
        variant = {"layout": found.layout, "edition": found.edition or None, "synthetic": found.synthetic}
        about = {"name": found.card.name, "root": str(found.root), "images": len(found.manifest), **variant}
        say_json({"fingerprint": found.fingerprint, "content": content, **about, "masks": masks.as_json()})
        return
    say(f"{found.fingerprint}  {found.card.name}  {len(found.manifest)} images  {found.root}")
    say(f"layout: {found.layout}" + (f"; edition: {found.edition}" if found.edition else ""))
    if masks.number:
        say(_described(masks))
    if content:
        say(f"content: {content}")


@app.command(
    epilog=examples(
        "zsadbench datasets synth visa --out data", "zsadbench datasets synth btad --out data --per-class 8"
    )
)
def synth(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder in which the folder of the set is made.", metavar="PATH", rich_help_panel=OUTPUT),
    ],
    per_class: Annotated[
        int, typer.Option(help="Images per label and class.", min=1, metavar="N", rich_help_panel=WHAT)
    ] = 4,
) -> None:
    """Write a generated miniature of a data set in its official layout."""
    from zsadbench.data import synthesise

    say(str(synthesise(name, out, per_class)))
