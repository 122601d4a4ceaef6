"""The command line: one module per verb, which parses, calls one function and prints.

stdout carries data only; progress, logs and errors go to stderr. A failure that a user can act on is
one line and an exit code, never a traceback.
"""

from __future__ import annotations

import sys

import typer
from typer import BadParameter

from zsadbench.cli import (
    audit,
    compare,
    datasets,
    explain,
    methods,
    new,
    parity,
    predict,
    profile,
    protocols,
    report,
    reproduce,
    run,
    score,
    submission,
    threshold,
    train,
    tune,
)
from zsadbench.cli.shared.settings_file import settings_from_file
from zsadbench.cli.upkeep import cache, checkpoints, doctor, weights
from zsadbench.errors import ZsadError
from zsadbench.printing import printable_lines

app = typer.Typer(
    name="zsadbench",
    help="Zero-shot anomaly detection with CLIP: every method, every benchmark, one protocol.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
VERBS = (
    *(run, train, tune, predict, submission, explain, profile, parity, score, audit, report, reproduce, compare),
    doctor,
)
for verb in VERBS:
    name = verb.__name__.rpartition(".")[2]
    app.command(name, epilog=verb.EXAMPLES)(getattr(verb, name))
app.add_typer(protocols.app, name="protocol", help="Show protocols and the differences of two.")
app.add_typer(methods.app, name="methods", help="List methods; show what they need; check them.")
app.add_typer(new.app, name="new", help="Write a package with a new method, data set or report, from a template.")
app.add_typer(datasets.app, name="datasets", help="List data sets; check cards and copies; write miniatures.")
app.add_typer(cache.app, name="cache", help="Show and clear the cache.")
app.add_typer(weights.app, name="weights", help="Find, fetch and verify published weights.")
app.add_typer(threshold.app, name="threshold", help="Fit thresholds on normal images; check whether they hold.")
app.add_typer(
    checkpoints.app, name="checkpoints", help="List and carry trained checkpoints; convert published ones safely."
)

INTERRUPTED = 130

# the base class of the errors that the parser raises; its module depends on the version of typer
PARSER_ERROR: type[Exception] = next(kind for kind in BadParameter.__mro__ if kind.__name__ == "ClickException")


def _print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        from importlib.metadata import version

        print(version("zsadbench"))  # noqa: T201
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
) -> None:
    """Read ./zsadbench.toml; flags and environment variables override its values."""
    context.default_map = settings_from_file(context.command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:  # newer versions of typer return a code instead of raising
            raise KeyboardInterrupt
    except ZsadError as failure:
        _fail(str(failure), failure.exit_code)
    except PARSER_ERROR as failure:
        _fail(_parser_message(failure), getattr(failure, "exit_code", 2))
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted" if sys.argv[1:2] == ["methods"] else "interrupted; what was finished is kept", INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as failure:  # for example a folder that cannot be written, a full disk
        _fail(f"{failure.strerror or failure}: {failure.filename or 'no file named'}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _parser_message(failure: Exception) -> str:
    """Return what the parser has to say, on one line."""
    message: str = failure.format_message() if hasattr(failure, "format_message") else str(failure)
    if getattr(failure, "option_name", "") == "--results" and sys.argv[1:2] == ["run"]:
        message = "no option --results: 'run' writes records into --out"
    return message.strip().rstrip(".").replace("\n", " ") or "no command given; see zsadbench --help"


def _fail(message: str, code: int) -> None:
    """Print each fault of a message, on one line or on three, and leave with the code."""
    for line in message.split("\nerror: "):  # one failure may name several faults
        print("error:", "\n".join(printable_lines(line)), file=sys.stderr)  # noqa: T201 - what a failure prints
    sys.exit(code)
