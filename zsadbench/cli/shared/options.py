"""Flags of requests as options of the command line.

A verb declares one parameter for many flags, `fields: Annotated[Fields, RequestFlags(RunRequest, ...)]`; decorated with
`with_flags`, it has an option for each of them and is called with the fields of the request that they set.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from functools import wraps
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, get_type_hints

import typer

from zsadbench.cli.shared.completion import OF_FIELDS
from zsadbench.flags.fields import OUTPUT, WHAT, Flag, flags_of

Fields = dict[str, Any]  # of a request

Json = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.", rich_help_panel=OUTPUT)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no warnings.", rich_help_panel=OUTPUT)]
Plugin = Annotated[
    list[Path] | None,
    typer.Option(help="File that defines one more method as CARD; repeatable.", metavar="PATH", rich_help_panel=WHAT),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.", rich_help_panel=OUTPUT)]


def add_plugins(paths: Sequence[Path] | None) -> None:
    """Register the methods that files define; this runs the files.

    Raises:
        UsageError: a file is missing, fails, or defines no method.
    """
    from zsadbench import registry

    for path in paths or ():
        registry.add_plugin(path)


class RequestFlags:
    """The flags of a request that a verb has: all, or those of `names` and of `help`, which replaces help texts."""

    def __init__(self, request: type, names: str = "", **help: str) -> None:
        known = flags_of(request)
        chosen = {*names.split(), *help} or known
        self.flags = {name: known[name] for name in sorted(chosen, key=list(known).index)}
        self.flags |= {name: replace(self.flags[name], help=text) for name, text in help.items()}
        self.defaults = {entry.name: entry.default for entry in fields(request)}
        self.required = {
            entry.name for entry in fields(request) if entry.default is MISSING and entry.default_factory is MISSING
        }

    def parameters(self) -> list[inspect.Parameter]:
        """One parameter per flag, as typer reads them."""
        return [self._parameter(name, flag) for name, flag in self.flags.items()]

    def _parameter(self, name: str, flag: Flag) -> inspect.Parameter:
        form = flag.form
        option = typer.Option(
            *filter(None, (flag.long, flag.short)),
            help=flag.help,
            envvar=flag.environment if flag.environment and not form.repeatable else None,
            metavar=form.metavar or None,
            rich_help_panel=flag.group,
            autocompletion=OF_FIELDS.get(name),
        )
        default = self.defaults[name]
        default = None if default is MISSING else form.default_text(default)
        kind: Any = GenericAlias(list, form.kind) if form.repeatable else form.kind
        annotation: Any = Annotated[(kind if default is not None else kind | None, option)]
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

    def read(self, parsed: dict[str, Any]) -> Fields:
        """Turn what the parser gives into fields; without a value, a field is left to the request's default.

        Raises:
            UsageError: a value cannot be read.
        """
        values = {name: flag.form.read(parsed[name], flag.long) for name, flag in self.flags.items()}
        return {name: value for name, value in values.items() if name in self.required or value not in (None, ())}


def with_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb one option per flag in place of each parameter that is annotated with `RequestFlags`."""
    hints = get_type_hints(verb, include_extras=True)
    bundles: dict[str, RequestFlags] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(verb).parameters.items():
        extras = getattr(hints[name], "__metadata__", ())
        if extras and isinstance(extras[0], RequestFlags):
            bundles[name] = extras[0]
            parameters += extras[0].parameters()
        else:
            own = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
            parameters.append(own)

    @wraps(verb)
    def call(**parsed: Any) -> None:
        own = {name: parsed[name] for name in hints if name in parsed}
        verb(**own, **{name: bundle.read(parsed) for name, bundle in bundles.items()})

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__doc__ = "\n\n".join(" ".join(part.split()) for part in (inspect.getdoc(verb) or "").split("\n\n"))
    return call


def examples(*commands: str) -> str:
    """Return the end of a help page: example commands, one per line."""
    return "\n\n".join(("Examples:", *(f"$ {command}" for command in commands)))
