"""`zsadbench weights list`, `fetch`, `path` and `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.completion import complete_weights
from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Json, Plugin, add_plugins, examples
from zsadbench.cli.shared.output import say, say_json, table, tell
from zsadbench.errors import WeightsError
from zsadbench.flags.fields import OUTPUT
from zsadbench.flags.out import check_out

if TYPE_CHECKING:
    from zsadbench.upkeep.weights import FoundWeights, Verified

app = typer.Typer(no_args_is_help=True)

Names = Annotated[
    list[str],
    typer.Argument(metavar="BACKBONE[:TAG]...", help="Backbone, with a tag.", autocompletion=complete_weights),
]


@app.callback()
def root() -> None:
    """Find, fetch and verify published weights, also for a machine without a network."""


@app.command("list", epilog=examples("zsadbench weights list", "zsadbench weights list --all"))
def list_(
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Print the name of every published tag; nothing is looked for.", rich_help_panel=OUTPUT
        ),
    ] = False,
    plugin: Plugin = None,
    json: Json = False,
) -> None:
    """Print the weights that the methods and their papers use, and where they lie."""
    from zsadbench.upkeep.weights import all_names, find_used

    start_logging()
    add_plugins(plugin)
    if everything:
        for name in all_names():
            say_json({"name": name}) if json else say(name)
        return
    found = find_used()
    if json:
        for row in found:
            say_json(_as_json(row))
        return
    rows = [
        (row.backbone, row.tag, row.weights.sha256[:12] if row.weights else "missing", str(_path(row) or "-"))
        for row in found
    ]
    table("", ["backbone", "tag", "SHA-256", "path"], rows)
    missing = [row for row in found if row.weights is None]
    if missing:
        say(
            f"to get what is missing: zsadbench weights fetch {missing[0].name}; without a network, see docs/weights.md"
        )


def _path(found: FoundWeights) -> Path | None:
    return found.weights.path if found.weights else None


def _as_json(found: FoundWeights) -> dict[str, object]:
    return {
        "backbone": found.backbone,
        "tag": found.tag,
        "methods": list(found.methods),
        "found": found.weights is not None,
        "path": str(path) if (path := _path(found)) else None,
        "sha256": found.weights.sha256 if found.weights else None,
        "missing": found.missing or None,
    }


@app.command(
    epilog=examples("zsadbench weights fetch ViT-L-14-336", "zsadbench weights fetch ViT-L-14:openai --out carry")
)
def fetch(
    names: Names,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Also copy the files to this folder, with SHA256SUMS, to carry them to another machine.",
            metavar="FOLDER",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Download published weights into the cache, unless they are there, and print their paths."""
    from zsadbench.upkeep.weights import copy_to, find, verify

    start_logging()
    if out is not None:
        check_out(out)
    for name in names:
        found = find(name, offline=False)
        checked = verify(found)
        if checked.verdict == "damaged":
            raise WeightsError(f"{checked.path} is damaged: {checked.against} has another SHA-256; remove it")
        path = copy_to(out, found) if out is not None else checked.path
        say_json({**_as_json(found), "path": str(path)}) if json else say(str(path))


@app.command(epilog=examples("zsadbench weights path ViT-L-14-336", "zsadbench weights path ViT-L-14:openai --json"))
def path(names: Names, json: Json = False) -> None:
    """Print where weights lie; nothing is downloaded. Exit code 4 where they are missing."""
    from zsadbench.upkeep.weights import find

    start_logging()
    for found in [find(name) for name in names]:
        say_json(_as_json(found)) if json else say(str(_path(found)))


@app.command(epilog=examples("zsadbench weights verify", "zsadbench weights verify carry/ViT-L-14-336px.pt"))
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BACKBONE[:TAG]|FILE]...",
            help="Weights by name, or files (default: all that are found).",
            autocompletion=complete_weights,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Compare weights with the SHA-256 that was published, or with SHA256SUMS beside a file.

    Exit code 4 where a file is damaged, or where nothing says what it must be.
    """
    from zsadbench.upkeep.weights import find_used
    from zsadbench.upkeep.weights import verify as compare

    start_logging()
    if names:
        checked = [_verified(name) for name in names]
    else:
        checked = [compare(found) for found in find_used() if found.weights]
    if json:
        for one in checked:
            say_json({**vars(one), "path": str(one.path)})
    elif checked:
        rows = [(one.name, one.verdict, one.sha256[:12], one.against) for one in checked]
        table("", ["weights", "verdict", "SHA-256", "compared with"], rows)
    else:
        tell("no weights are found; zsadbench weights list says which there could be")
    wrong = [one for one in checked if one.verdict == "damaged" or (names and one.verdict != "published")]
    if wrong:
        raise WeightsError("\nerror: ".join(f"{one.path}: {one.verdict} ({one.against})" for one in wrong))


def _verified(name: str) -> Verified:
    """Verify weights by the path of a file, or by name."""
    from zsadbench.upkeep.weights import find, verify, verify_file

    is_path = Path(name).exists() or "/" in name or "\\" in name or Path(name).suffix in {".pt", ".pth", ".safetensors"}
    return verify_file(Path(name)) if is_path else verify(find(name))
