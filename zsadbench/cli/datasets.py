"""`zsadbench datasets list`, `show`, `check`, `fingerprint` and `synth`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli import options as flags
from zsadbench.cli.common import say, say_json, say_rows, start_logging, table
from zsadbench.cli.common import split as split_names

if TYPE_CHECKING:
    from zsadbench.data.check import Check

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(json: flags.Json = False) -> None:
    """Print every data set that has a card."""
    from zsadbench.data import all_cards

    header = ["name", "domain", "classes", "levels", "title"]
    rows = [(card.name, card.domain, str(len(card.classes)), "+".join(card.levels), card.title) for card in all_cards()]
    say_rows(header, rows, json=json)


@app.command()
def show(name: str) -> None:
    """Print a card: classes, licence, home page, where it is looked for."""
    from zsadbench.data import find_card

    card = find_card(name)
    lines = {
        "name": card.name,
        "title": card.title,
        "also called": ", ".join(card.names[1:]),
        "domain": card.domain,
        "levels": ", ".join(card.levels),
        "classes": ", ".join(card.classes),
        "licence": card.licence,
        "home page": card.homepage,
        "doi": card.doi,
        "layouts": ", ".join(layout.name for layout in card.layouts),
    }
    for key, value in lines.items():
        say(f"{key}: {value or '-'}")


@app.command()
def check(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Data sets, or folder:PATH.")],
    data_root: flags.DataRoots = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Splits to judge (default: test, all that a run reads).")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Decode every file.")] = False,
    json: flags.Json = False,
) -> None:
    """Say whether a copy is complete and right: per class, every fault with its path, how to get what is missing."""
    start_logging()
    from zsadbench.data.check import check_copy

    found = [check_copy(name, data_root, split or ["test"], deep=deep) for name in split_names(names)]
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
        "fingerprint": found.fingerprint or None,
        "classes": {name: {"found": have, "expected": want} for name, (have, want) in found.classes.items()},
        "faults": found.faults,
        "notes": found.notes,
        "licence": found.card.licence,
        "homepage": found.card.homepage,
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
    say(f"{found.card.name}: {'not complete' if found.faults else 'complete'}")
    if found.faults and found.card.homepage:
        say(f"get it from {found.card.homepage} (licence: {found.card.licence or 'not known'})")


@app.command()
def fingerprint(name: str, data_root: flags.DataRoots = None, allow_partial: flags.AllowPartial = False) -> None:
    """Print the identity of the copy that a run would use."""
    start_logging()
    from zsadbench.data import load_dataset

    found = load_dataset(name, data_root, allow_partial)
    say(f"{found.fingerprint}  {found.card.name}  {len(found.manifest)} images  {found.root}")


@app.command()
def synth(
    name: str,
    out: Annotated[Path, typer.Option(help="The folder to write the set's own folder into.")],
    per_class: Annotated[int, typer.Option(help="Images of each label and class.", min=1)] = 4,
) -> None:
    """Write a generated miniature of a data set in its official layout."""
    from zsadbench.data import synthesise

    say(str(synthesise(name, out, per_class)))
