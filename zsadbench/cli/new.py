"""`zsadbench new method`, `new dataset` and `new report`: a small installable package from a template."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import examples
from zsadbench.cli.shared.output import say
from zsadbench.flags.fields import OUTPUT, WHAT

if TYPE_CHECKING:
    from zsadbench.scaffold.write import What

app = typer.Typer(no_args_is_help=True)

NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name on the command line, such as my-method.")]
NewFolder = Annotated[
    Path, typer.Option(help="Folder of the package; new, or empty.", metavar="DIR", rich_help_panel=OUTPUT)
]


@app.command(
    epilog=examples(
        "zsadbench new method my-method --out my-method", "zsadbench new method mine --kind trained --out mine"
    )
)
def method(
    name: NewName,
    out: NewFolder,
    kind: Annotated[
        str,
        typer.Option(help="training-free, trained, encoder or few-shot.", metavar="KIND", rich_help_panel=WHAT),
    ] = "training-free",
) -> None:
    """Write a package with a method: it works at once, and is yours to change."""
    files, place = _written("method", name, out, kind)
    main = shlex.quote(str(files[0]))
    shots = " --shots 1" if kind == "few-shot" else ""
    say(
        "next:",
        f"  zsadbench methods check {name} --plugin {main}",
        f"  zsadbench run -m {name} -t demo{shots} --plugin {main}",
        "or install it, which makes --plugin unnecessary:",
        f"  pip install -e {place}",
        f"  zsadbench methods check {name}",
        f"  zsadbench run -m {name} -t demo{shots}",
    )


@app.command(
    epilog=examples("zsadbench new dataset my-parts --out my-parts", "zsadbench new dataset bolts --out bolts")
)
def dataset(name: NewName, out: NewFolder) -> None:
    """Write a package with the card of a data set."""
    files, place = _written("dataset", name, out)
    card = next(path for path in files if path.suffix == ".toml" and path.parent.name == "cards")
    say(
        "next:",
        f"  zsadbench datasets check-card {shlex.quote(str(card))}",
        f"  pip install -e {place}",
        f"  zsadbench datasets check {name} --data-root DATA",
        f"  zsadbench run -m clip -t {name} --data-root DATA",
    )


@app.command(epilog=examples("zsadbench new report my-table --out my-table", "zsadbench new report wiki --out wiki"))
def report(name: NewName, out: NewFolder) -> None:
    """Write a package with a report format."""
    _, place = _written("report", name, out)
    say("next:", f"  pip install -e {place}", f"  zsadbench report --format {name} --out report")


def _written(what: What, name: str, out: Path, kind: str = "") -> tuple[list[Path], str]:
    """Write a package, print its files, and return them and the folder as a shell takes it."""
    start_logging()
    from zsadbench.scaffold.write import write_package

    files = write_package(what, name, out, kind)
    say(*map(str, files))
    return files, shlex.quote(str(out))
