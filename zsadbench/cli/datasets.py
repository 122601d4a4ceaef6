"""`zsadbench datasets list`, `show`, `check`, `check-card`, `fingerprint` and `synth`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.completion import complete_datasets
from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Fields, Json, RequestFlags, examples, with_flags
from zsadbench.cli.shared.output import say, say_json, say_rows, table
from zsadbench.engine.plan.request import RunRequest
from zsadbench.flags.fields import DATA, OUTPUT, WHAT
from zsadbench.flags.forms import split as split_names
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.data.cards.card import Expected
    from zsadbench.data.copies.check import Check
    from zsadbench.data.copies.mask_statistics import MaskStatistics

app = typer.Typer(no_args_is_help=True)


@app.command("list", epilog=examples("zsadbench datasets list", "zsadbench datasets list --json"))
def list_(json: Json = False) -> None:
    """Print every data set that has a card."""
    from zsadbench.data import all_cards

    start_logging()
    header = ["name", "domain", "classes", "levels", "title"]
    rows = [(card.name, card.domain, str(len(card.classes)), "+".join(card.levels), card.title) for card in all_cards()]
    say_rows(header, rows, json=json)


@app.command(epilog=examples("zsadbench datasets show visa", "zsadbench datasets show mvtec"))
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set.", autocompletion=complete_datasets)],
) -> None:
    """Print a card: classes and their words in prompts, counts, licence, home page, and the layouts of copies."""
    from zsadbench.data import find_card
    from zsadbench.references import references

    card = find_card(name)
    cited = [references()[key] for key in card.cite if key in references()]
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
        "doi": card.doi or ", ".join(paper.doi for paper in cited if paper.doi),
        "cite": ", ".join(card.cite),
        "files not used": ", ".join(card.ignored),
        "test parts without labels": ", ".join(card.hidden),
        "metrics besides the usual": ", ".join(card.metrics),
        **{paper.key: paper.text for paper in cited},
        "layouts": ", ".join(layout.name for layout in card.layouts),
    }
    for key, value in lines.items():
        say(f"{key}: {value or '-'}")


def _worded(words: dict[str, str]) -> str:
    """Return the words of the classes whose word is not their name."""
    return "; ".join(f"{name}: {text}" for name, text in words.items() if text != name) or "the classes as they are"


def _expected(expected: Expected) -> str:
    """Describe the expected number of images in words."""
    if not (expected.total or expected.counts):
        return "number unknown"
    normal, anomalous = expected.total or [sum(column) for column in zip(*expected.counts.values(), strict=True)]
    doubt = "" if expected.certain else " (not confirmed)"
    in_all = f", {expected.images} in all" if expected.images else ""
    return f"{normal} normal, {anomalous} anomalous{doubt}{in_all}"


@app.command(
    epilog=examples("zsadbench datasets check visa --data-root data", "zsadbench datasets check folder:photos --deep")
)
@with_flags
def check(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Data sets, folder:PATH or csv:PATH.", autocompletion=complete_datasets),
    ],
    fields: Annotated[Fields, RequestFlags(RunRequest, "data_roots normal max_pixels")],
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Split to check; repeatable (default: test, which is all that a run reads).",
            metavar="NAME",
            rich_help_panel=DATA,
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Decode every file; describe the masks.", rich_help_panel=DATA)
    ] = False,
    json: Json = False,
) -> None:
    """Check whether a copy is complete and right: counts per class, every fault with its path, how to get the data.

    Exit codes: 0 complete, 2 usage, 3 a copy has faults.
    """
    start_logging()
    from zsadbench.data.copies.check import check_copy
    from zsadbench.data.images.pixel_limit import allow_pixels

    allow_pixels(fields.get("max_pixels"))
    roots, normal = fields.get("data_roots"), fields.get("normal", ())
    checks = [check_copy(name, roots, split or ["test"], normal, deep=deep) for name in split_names(names)]
    for copy in checks:
        if json:
            say_json(_as_json(copy))
        else:
            _print(copy)
    if any(copy.faults for copy in checks):
        raise typer.Exit(3)


def _as_json(copy: Check) -> dict[str, object]:
    """Return the JSON object of a copy."""
    return {
        "name": copy.card.name,
        "complete": not copy.faults,
        "synthetic": copy.synthetic,
        "root": str(copy.root) if copy.root else None,
        "layout": copy.layout or None,
        "edition": copy.edition or None,
        "fingerprint": copy.fingerprint or None,
        "classes": {name: {"found": have, "expected": want} for name, (have, want) in copy.classes.items()},
        "left_out": {name: left_out._asdict() for name, left_out in copy.unread.items()},
        "faults": copy.faults,
        "notes": copy.notes,
        "masks": copy.masks.as_json() if copy.masks else None,
        "licence": copy.card.licence,
        "homepage": copy.card.homepage,
        "obtain": copy.card.obtain,
    }


def _print(copy: Check) -> None:
    """Print the counts, faults and notes of a copy."""
    kind = "synthetic miniature" if copy.synthetic else copy.layout
    rows = [
        (name, *map(str, have), *(map(str, want) if want else ("-", "-")))
        for name, (have, want) in copy.classes.items()
    ]
    if rows:
        header = ["class", "normal", "anomalous", "normal expected", "anomalous expected"]
        table(f"{copy.card.name} ({kind}) in {copy.root}", header, rows)
    for fault in copy.faults:
        say(f"fault: {fault}")
    for note in copy.notes:
        say(f"note: {note}")
    if copy.masks is not None and copy.masks.number:
        say(_described(copy.masks))
    say(f"{copy.card.name}: {'not complete' if copy.faults else 'complete'}")
    if copy.faults and copy.card.homepage:
        about = f"; {copy.card.obtain}" if copy.card.obtain else ""
        say(f"get it from {copy.card.homepage} (licence: {copy.card.licence or 'not known'}){about}")


def _described(masks: MaskStatistics) -> str:
    """Describe the masks of a copy in one line."""
    marked = "" if masks.share is None else f", {100 * masks.share:.2f} % of their pixels anomalous"
    return (
        f"masks: {masks.number}, {len(masks.blank)} blank, {len(masks.grey)} with more than two grey values{marked}, "
        f"identity {masks.digest[:16]}"
    )


@app.command(
    "check-card",
    epilog=examples("zsadbench datasets check-card mine.toml", "zsadbench datasets check-card mine.toml --json"),
)
def check_card(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Card of a data set, a TOML file.")],
    json: Json = False,
) -> None:
    """List all faults of a card at once: each with its line and what to do.

    Exit codes: 0 no fault, 1 faults, 2 there is no such file, 3 it cannot be read.
    """
    start_logging()
    from zsadbench.conformance.card_check import check_card_file

    faults = check_card_file(file)
    for fault in faults:
        if json:
            say_json(fault._asdict())
        else:
            say(f"line {fault.line}: {fault.message}; {fault.remedy}")
    if not json:
        say(f"{file}: {len(faults)} fault{'' if len(faults) == 1 else 's'}")
    if faults:
        raise typer.Exit(1)


@app.command(
    epilog=examples("zsadbench datasets fingerprint visa", "zsadbench datasets fingerprint csv:parts.csv --deep --json")
)
@with_flags
def fingerprint(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Data set, folder:PATH or csv:PATH.", autocompletion=complete_datasets)
    ],
    fields: Annotated[Fields, RequestFlags(RunRequest, "data_roots allow_partial normal max_pixels")],
    deep: Annotated[
        bool, typer.Option("--deep", help="Add a hash of pixels alone, without names.", rich_help_panel=DATA)
    ] = False,
    json: Json = False,
) -> None:
    """Print the fingerprint of the copy that a run would use, as records have it, and statistics of its masks.

    It is a hash of the bytes of all images and masks. With --deep also a hash of decoded pixels and labels, which is
    the same under other names and in other lossless formats.
    """
    start_logging()
    from zsadbench.data import load_dataset
    from zsadbench.data.copies.fingerprint import pixel_fingerprint
    from zsadbench.data.copies.mask_statistics import mask_statistics
    from zsadbench.data.images.pixel_limit import allow_pixels

    allow_pixels(fields.get("max_pixels"))
    dataset = load_dataset(name, fields.get("data_roots"), fields["allow_partial"], normal=fields.get("normal", ()))
    masks = mask_statistics(dataset.manifest, dataset.card.positive)
    content = pixel_fingerprint(dataset.manifest) if deep else None
    if json:
        variant = {"layout": dataset.layout, "edition": dataset.edition or None, "synthetic": dataset.synthetic}
        about = {"name": dataset.card.name, "root": str(dataset.root), "images": len(dataset.manifest), **variant}
        say_json({"fingerprint": dataset.fingerprint, "content": content, **about, "masks": masks.as_json()})
        return
    say(f"{dataset.fingerprint}  {dataset.card.name}  {len(dataset.manifest)} images  {dataset.root}")
    say(f"layout: {dataset.layout}" + (f"; edition: {dataset.edition}" if dataset.edition else ""))
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
    name: Annotated[str, typer.Argument(metavar="NAME", help="Data set.", autocompletion=complete_datasets)],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder in which the folder of the data set is made.", metavar="PATH", rich_help_panel=OUTPUT
        ),
    ],
    per_class: Annotated[
        int, typer.Option(help="Images per label and class.", min=1, metavar="N", rich_help_panel=WHAT)
    ] = 4,
) -> None:
    """Write a generated miniature of a data set in its official layout."""
    from zsadbench.data import synthesise

    check_out(out)
    say(str(synthesise(name, out, per_class)))
