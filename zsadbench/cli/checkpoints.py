"""`zsadbench checkpoints import PATH --method METHOD`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zsadbench.cli.shared.options import Plugin, add_plugins, examples
from zsadbench.cli.shared.output import say
from zsadbench.errors import UsageError
from zsadbench.flags.fields import OUTPUT, WHAT
from zsadbench.flags.out import check_out_file

app = typer.Typer(no_args_is_help=True)


@app.callback()
def root() -> None:
    """Read published checkpoints safely."""


@app.command(
    "import",
    epilog=examples(
        "zsadbench checkpoints import epoch_15.pth -m anomalyclip",
        "zsadbench checkpoints import a.pth b.pth -m afclip --out afclip.safetensors",
    ),
)
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="The published file or files.")],
    method: Annotated[
        str,
        typer.Option("--method", "-m", help="The method that they belong to.", metavar="NAME", rich_help_panel=WHAT),
    ],
    plugin: Plugin = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write (default: next to the first, .safetensors).", metavar="PATH", rich_help_panel=OUTPUT
        ),
    ] = None,
) -> None:
    """Convert a published checkpoint to a safetensors file, without running any code in it."""
    from zsadbench import registry
    from zsadbench.checkpoints import write_checkpoint
    from zsadbench.files import file_sha256

    add_plugins(plugin)
    card = registry.method_card(method)
    if card.official is None:
        raise UsageError(f"'{method}' has no published checkpoints")
    files = paths if len(paths) > 1 else card.official.companions(paths[0])
    path = out or paths[0].with_suffix(".safetensors")
    check_out_file(path)
    if path.exists():
        raise UsageError(f"{path} exists already; choose another --out")
    state = card.official.read(files)
    source = [{"name": file.name, "sha256": file_sha256(file)} for file in files]
    write_checkpoint(path, state, card.name, {"imported": source, "options": {}})
    say(str(path))
