"""`zsadbench protocol show NAME` and `protocol diff A B`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from zsadbench.cli.shared.options import Json, Plugin, add_plugins, examples
from zsadbench.cli.shared.output import say, say_json, table

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Protocol, such as strict or paper:fbclip.")]


@app.command("list", epilog=examples("zsadbench protocol list", "zsadbench protocol show strict"))
def list_(plugin: Plugin = None) -> None:
    """Print the name and digest of every protocol."""
    from zsadbench import registry

    add_plugins(plugin)
    for protocol in registry.protocols():
        say(f"{protocol.name}  {protocol.digest}")


@app.command(epilog=examples("zsadbench protocol show strict", "zsadbench protocol show paper:fbclip --json"))
def show(name: Name, plugin: Plugin = None, json: Json = False) -> None:
    """Print every field of a protocol, and its digest."""
    from zsadbench import registry

    add_plugins(plugin)
    protocol = registry.protocol(name)
    fields = {**asdict(protocol), "digest": protocol.digest}
    if json:
        say_json(fields)
    else:
        table("", ["field", "value"], [(key, _shown(value)) for key, value in fields.items()])


@app.command(
    epilog=examples("zsadbench protocol diff strict strict-raw", "zsadbench protocol diff strict paper:fbclip --json")
)
def diff(
    left: Annotated[str, typer.Argument(metavar="A", help="Protocol.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another protocol.")],
    plugin: Plugin = None,
    json: Json = False,
) -> None:
    """Print the fields in which two protocols differ."""
    from zsadbench import registry
    from zsadbench.protocol import differing

    add_plugins(plugin)
    differences = differing(registry.protocol(left), registry.protocol(right))
    if json:
        say_json(differences)
    elif differences:
        table("", ["field", left, right], [(key, _shown(a), _shown(b)) for key, (a, b) in differences.items()])
    else:
        say(f"{left} and {right} are equal in every field")


def _shown(value: object) -> str:
    """Format the value of a field in one cell."""
    if isinstance(value, tuple):
        return ", ".join(":".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in value) or "none"
    return str(value)
