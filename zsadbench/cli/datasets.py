"""`zsadbench datasets list`, `show`, `fingerprint` and `synth`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli import options as flags
from zsadbench.cli.common import say, say_rows, start_logging

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
