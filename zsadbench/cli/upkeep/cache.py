"""`zsadbench cache list` and `cache clear`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from zsadbench.cli.shared.completion import complete_parts
from zsadbench.cli.shared.options import Json, examples
from zsadbench.cli.shared.output import say, say_json, table, tell
from zsadbench.errors import UsageError
from zsadbench.flags.fields import DATA
from zsadbench.printing import size_text

if TYPE_CHECKING:
    from zsadbench.upkeep.cache import PartState

app = typer.Typer(no_args_is_help=True)


@app.callback()
def root() -> None:
    """Show and clear the cache: downloads, checkpoints, and what a run computes once."""


@app.command("list", epilog=examples("zsadbench cache list", "zsadbench cache list --json"))
def list_(json: Json = False) -> None:
    """Print the parts of the cache with their sizes."""
    from zsadbench.clip import cache_folder
    from zsadbench.upkeep.cache import other_entries, part_states

    states, others = part_states(), other_entries()
    if json:
        for state in states:
            say_json(_as_json(state))
        return
    rows = [(state.part.name, state.part.what, str(state.files), size_text(state.size)) for state in states]
    rows.append(("in all", "", str(sum(state.files for state in states)), size_text(sum(s.size for s in states))))
    table(f"{cache_folder()} (ZSADBENCH_CACHE changes it)", ["part", "what", "files", "size"], rows)
    foreign = sum(state.foreign for state in states)
    if others or foreign:
        say(f"{len(others) + foreign} more entries are not the cache's own and stay as they are")


def _as_json(state: PartState) -> dict[str, object]:
    return {
        "part": state.part.name,
        "what": state.part.what,
        "path": str(state.folder),
        "files": state.files,
        "bytes": state.size,
        "foreign": state.foreign,
        "costly": state.part.costly,
    }


@app.command(epilog=examples("zsadbench cache clear tokens images", "zsadbench cache clear --all --yes"))
def clear(
    parts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PART]...",
            help="Parts to clear (default: all but weights and checkpoints).",
            autocompletion=complete_parts,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Weights and trained checkpoints as well.", rich_help_panel=DATA)
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where stdin is no terminal.", rich_help_panel=DATA)
    ] = False,
    json: Json = False,
) -> None:
    """Remove what later runs compute again; files that zsadbench did not write stay.

    Do not clear the cache while a run uses it.
    """
    from zsadbench.upkeep.cache import clear as remove
    from zsadbench.upkeep.cache import part_states

    if parts and everything:
        raise UsageError("--all means all parts; give parts or --all")
    states = part_states(parts or ())
    chosen = [state for state in states if parts or everything or not state.part.costly]
    kept = [state for state in states if state not in chosen and state.files]
    files, size = sum(state.files for state in chosen), sum(state.size for state in chosen)
    names = ", ".join(state.part.name for state in chosen if state.files)
    if files and not yes:
        _ask(f"remove {files} files, {size_text(size)}, of {names}")
    removed, freed = remove(chosen)
    if json:
        say_json({"event": "cleared", "files": removed, "bytes": freed, "parts": [s.part.name for s in chosen]})
    else:
        say(f"removed {removed} files, {size_text(freed)}" + (f": {names}" if names else ""))
    if kept:
        what = ", ".join(f"{state.part.name} ({size_text(state.size)})" for state in kept)
        tell(f"kept: {what}; name them or pass --all to remove them too")
    foreign = sum(state.foreign for state in chosen)
    if foreign:
        tell(f"{foreign} files that are not the cache's own stay")


def _ask(what: str) -> None:
    """Ask on a terminal.

    Raises:
        UsageError: stdin is no terminal, or the answer is no.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what}; pass --yes, as there is no terminal to ask on")
    if not typer.confirm(f"{what[0].upper()}{what[1:]}?", err=True):
        raise UsageError("nothing was removed")
