"""The page of the commands: every verb with its arguments, flags, variables and examples, from the parser itself."""

from itertools import groupby

from doc_site.markdown import code, prose, table

HEAD = """# Commands

What `zsadbench COMMAND --help` says. A repeatable flag also takes a comma list. A flag overrides the environment
variable that stands beside it, which overrides `./zsadbench.toml`. Exit codes: 0 done, 1 a bug or a failed check,
2 usage, 3 data, 4 weights or checkpoint, 5 some cells failed, 6 a reproduced number drifts, 130 interrupted.
"""


def page() -> str:
    """The Markdown of the page."""
    import typer

    from zsadbench.cli import app

    sections = [_section(name, verb) for name, verb in _verbs(typer.main.get_command(app))]
    return "\n\n".join([HEAD, *sections]) + "\n"


def _verbs(group, prefix="zsadbench"):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _section(name, command):
    arguments = [entry for entry in command.params if not entry.opts[0].startswith("-")]
    options = [entry for entry in command.params if entry.opts[0].startswith("-") and entry.name != "help"]
    parts = [f"## {name}", prose(command.help or "")]
    if arguments:
        rows = [(code(_usage(entry)), prose(entry.help or "")) for entry in arguments]
        parts.append(table(["argument", "is"], rows))
    grouped = groupby(sorted(options, key=_panel), key=_panel)
    parts += [f"**{panel}**\n\n" + table(["flag", "does"], map(_row, entries)) for panel, entries in grouped]
    examples = [line[2:] for line in (command.epilog or "").splitlines() if line.startswith("$ ")]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    return "\n\n".join(parts)


def _panel(option):
    return option.rich_help_panel or "Flags"


def _usage(argument):
    name = argument.metavar or argument.name.upper()
    return f"{name}…" if argument.nargs == -1 else name


def _row(option):
    names = [*sorted(option.opts, key=len, reverse=True), *option.secondary_opts]
    value = "" if option.is_flag else f" {option.metavar or 'VALUE'}"
    more = []
    if option.default not in (None, False, True, ()) and "default" not in (option.help or ""):
        more.append(f"Default: `{option.default}`.")
    if option.envvar:
        more.append(f"Variable: `{option.envvar}`.")
    return ", ".join(code(name) for name in names) + prose(value), " ".join([prose(option.help or ""), *more])
