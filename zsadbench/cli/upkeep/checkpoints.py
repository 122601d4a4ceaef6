"""`zsadbench checkpoints list`, `show`, `import` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli.shared.completion import complete_methods
from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Json, Plugin, add_plugins, examples
from zsadbench.cli.shared.output import say, say_json, table
from zsadbench.errors import UsageError, WeightsError
from zsadbench.flags.fields import DATA, OUTPUT, WHAT
from zsadbench.flags.out import check_out_file
from zsadbench.printing import size_text

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME|PATH", help="Name in the cache, or its first digits, or a file.")]


@app.callback()
def root() -> None:
    """List and carry trained checkpoints; read published ones safely."""


@app.command("list", epilog=examples("zsadbench checkpoints list", "zsadbench checkpoints list --json"))
def list_(json: Json = False) -> None:
    """Print the checkpoints in the cache."""
    from zsadbench.clip import cache_folder
    from zsadbench.upkeep.checkpoints import cached_checkpoints

    start_logging()
    found = list(cached_checkpoints())
    if json:
        for one in found:
            say_json({"name": one.name, "method": one.method, "learned": one.learned, "path": str(one.path)})
        return
    rows = [
        (
            one.name,
            one.method,
            one.learned,
            str(one.about.get("seed", "-")),
            str(one.about.get("backbone", "-")),
            size_text(one.path.stat().st_size),
        )
        for one in found
    ]
    if rows:
        table("", ["name", "method", "learned from", "seed", "backbone", "size"], rows)
    else:
        say(f"no checkpoints in '{cache_folder() / 'checkpoints'}'; zsadbench train makes one")


@app.command(epilog=examples("zsadbench checkpoints show 1f0c", "zsadbench checkpoints show fbclip.safetensors --json"))
def show(name: Name, json: Json = False) -> None:
    """Print the card of a checkpoint: method, code, data, recipe, numbers, licence."""
    from zsadbench.upkeep.checkpoints import card_text, describe, find_checkpoint

    start_logging()
    card = describe(find_checkpoint(name))
    say_json(card) if json else say(*card_text(card).splitlines())


@app.command(
    epilog=examples(
        "zsadbench checkpoints export 1f0c -o fb.safetensors --licence CC-BY-4.0",
        "zsadbench checkpoints export 1f0c -o fb.safetensors --results results",
    )
)
def export(
    name: Name,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write.", metavar="FILE.safetensors", rich_help_panel=OUTPUT)
    ],
    results: Annotated[
        Path | None,
        typer.Option(
            help="Records, whose numbers with this checkpoint go into the card.", metavar="PATH", rich_help_panel=DATA
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(help="Licence of the trained parameters (default: not stated).", rich_help_panel=OUTPUT),
    ] = None,
    json: Json = False,
) -> None:
    """Write a checkpoint with its card: a safetensors file, and the card as Markdown beside it."""
    from zsadbench.upkeep.checkpoints import export as write
    from zsadbench.upkeep.checkpoints import find_checkpoint

    start_logging()
    checkpoint = find_checkpoint(name)
    _check_new(out)
    if results is not None and not results.is_dir():
        raise UsageError(f"--results '{results}' is no folder")
    card = write(checkpoint, out, licence=licence, results=results)
    say_json(card) if json else say(str(out))


def _check_new(out: Path) -> None:
    check_out_file(out)
    if out.exists():
        raise UsageError(f"{out} exists already; choose another --out")


@app.command(
    "import",
    epilog=examples(
        "zsadbench checkpoints import epoch_15.pth -m anomalyclip",
        "zsadbench checkpoints import a.pth b.pth -m afclip --out afclip.safetensors",
    ),
)
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="The published file or files, or an export.")],
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            "-m",
            help="The method that published files belong to; an export says it itself.",
            metavar="NAME",
            rich_help_panel=WHAT,
            autocompletion=complete_methods,
        ),
    ] = None,
    plugin: Plugin = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write (default: next to the first, .safetensors).", metavar="PATH", rich_help_panel=OUTPUT
        ),
    ] = None,
) -> None:
    """Convert a published checkpoint to safetensors, without running any code in it; or put an export into the cache.

    An exported checkpoint lies in the cache then, where a run finds it in place of a training.
    """
    from zsadbench.checkpoints import read_metadata

    start_logging()
    add_plugins(plugin)
    written = read_metadata(paths[0]) if paths[0].is_file() else None
    if written and method in {None, written[0]} and out is None and len(paths) == 1:
        from zsadbench.upkeep.checkpoints import import_exported

        say(str(import_exported(paths[0])))
        return
    if written:
        what = "is an export of zsadbench, which goes into the cache"
        raise (
            UsageError(f"'{paths[0]}' {what}: give it alone, without --out")
            if method in {None, written[0]}
            else WeightsError(f"checkpoint '{paths[0]}' was trained for '{written[0]}', not for '{method}'")
        )
    _convert(paths, method, out)


def _convert(paths: list[Path], method: str | None, out: Path | None) -> None:
    """Convert published files and print the path of the new one."""
    from zsadbench import registry
    from zsadbench.checkpoints import write_checkpoint
    from zsadbench.files import file_sha256

    if method is None:
        raise UsageError("whose checkpoint is it? pass --method, for example --method anomalyclip")
    card = registry.method_card(method)
    if card.official is None:
        raise UsageError(f"'{method}' has no published checkpoints")
    files = paths if len(paths) > 1 else card.official.companions(paths[0])
    path = out or paths[0].with_suffix(".safetensors")
    _check_new(path)
    state = card.official.read(files)
    source = [{"name": file.name, "sha256": file_sha256(file)} for file in files]
    write_checkpoint(path, state, card.name, {"imported": source, "options": {}})
    say(str(path))
