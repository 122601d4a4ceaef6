"""`zsadbench methods list`, `methods show NAME` and `methods check NAME`."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zsadbench.cli.shared.completion import complete_methods
from zsadbench.cli.shared.logs import start_logging
from zsadbench.cli.shared.options import Fields, Json, Plugin, RequestFlags, add_plugins, examples, with_flags
from zsadbench.cli.shared.output import say, say_json, table
from zsadbench.engine.plan.request import RunRequest

if TYPE_CHECKING:
    from zsadbench.conformance.finding import Finding
    from zsadbench.types import MethodCard

app = typer.Typer(no_args_is_help=True)

NOT_RUN = ("not applicable", "not judged")  # results of checks that a line names below the table
WIDTH = 80  # characters of a line
NameOfMethod = Annotated[str, typer.Argument(metavar="NAME", help="Method.", autocompletion=complete_methods)]


@app.command("list", epilog=examples("zsadbench methods list", "zsadbench methods list --json"))
def list_(plugin: Plugin = None, json: Json = False) -> None:
    """Print every method with its paper, whether it trains, and which kinds of backbones it takes."""
    from zsadbench import registry

    start_logging()
    add_plugins(plugin)
    rows = [_row(card) for card in registry.method_cards()]
    if json:
        for row in rows:
            say_json(row)
        return
    header = {"kinds": "backbones"}  # field → its title in the table, where it is another word
    shown = ["method", "published", "trains", "kinds", "remark", "paper"]
    texts = [[value if isinstance(value := row[key], str) else ", ".join(value) for key in shown] for row in rows]
    table("", [header.get(key, key) for key in shown], texts, optional=["paper"])


def _row(card: MethodCard) -> dict[str, Any]:
    """Return what a list of methods says about one."""
    return {
        "method": card.name,
        "name": card.name,
        "version": card.version,
        "kinds": list(card.kinds),
        "few_shot": card.few_shot,
        "transductive": card.transductive is not None,
        "published": f"{card.paper.venue} {card.paper.year}",
        "trains": "yes" if card.recipe else "no",
        "remark": "unofficial" if card.unofficial else "",
        "paper": card.paper.title,
    }


@app.command(epilog=examples("zsadbench methods show fbclip", "zsadbench methods show clip --json"))
def show(
    name: NameOfMethod,
    plugin: Plugin = None,
    json: Json = False,
) -> None:
    """Print what a method needs, how it trains, and its options with their defaults."""
    from zsadbench import registry

    add_plugins(plugin)
    card = registry.method_card(name)
    default = card.options()
    step = card.transductive(default) if card.transductive else None
    options = {field.name: getattr(default, field.name) for field in fields(default)}
    about = {
        "name": card.name,
        "unofficial": card.unofficial,
        "paper": asdict(card.paper),
        "taps": asdict(card.taps(default)),
        "kinds": list(card.kinds) if json else ", ".join(card.kinds),
        "smoothing": card.smoothing,
        "few_shot": card.few_shot,
        "transductive": step.description if step else None,
        "recipe": asdict(card.recipe) if card.recipe else None,
        "protocols": [protocol.name for protocol in card.protocols],
        "presets": {key: dict(value) for key, value in card.presets.items()},
        "options": options,
    }
    if json:
        say_json(about)
        return
    for key, value in about.items():
        if key == "paper":
            _say_paper(card)
        elif isinstance(value, dict) and value:
            table(key, ["field", "value"], [(field, str(entry)) for field, entry in value.items()])
        else:
            say(f"{key}: {value}")


@app.command(
    epilog=examples("zsadbench methods check clip", "zsadbench methods check mine --plugin mine.py -O layers=6,12")
)
@with_flags
def check(
    name: NameOfMethod,
    given: Annotated[Fields, RequestFlags(RunRequest, options="Option of the method, KEY=VALUE; repeatable.")],
    plugin: Plugin = None,
    json: Json = False,
) -> None:
    """Check that a method keeps the contract, on a very small random backbone: no download, under a minute.

    Exit codes: 0 all checks passed or do not concern it, 1 a check failed, 2 usage.
    """
    start_logging()
    add_plugins(plugin)
    from zsadbench import registry
    from zsadbench.conformance.battery import run_checks
    from zsadbench.conformance.subject import check_given, subject_of
    from zsadbench.engine.plan.options import configure

    method = configure(registry.method_card(name), given.get("options", ()), [name])
    subject = subject_of(replace(method.card, recipe=method.recipe), method.options)
    if given.get("options"):
        check_given(subject)
    findings = []
    for finding in run_checks(subject):
        findings.append(finding)
        if json:
            say_json({"method": name, **asdict(finding)})
    if not json:
        _print(name, subject.backbone.spec.config.kind, findings)
    if any(finding.failed for finding in findings):
        raise typer.Exit(1)


def _print(name: str, kind: str, findings: list[Finding]) -> None:
    """Print what the checks found, which were not run, and the remedies of those that failed."""
    rows = [(finding.check, finding.result, finding.found) for finding in findings if finding.result not in NOT_RUN]
    table(f"{name} on a tiny random backbone of the kind {kind}", ["check", "result", "found"], rows)
    left_out: dict[str, list[str]] = {}
    for finding in findings:
        if finding.result in NOT_RUN:
            reason = f", {finding.found}" if finding.result == "not judged" else ""
            left_out.setdefault(f"{finding.result}{reason}", []).append(finding.check)
    for why, checks in left_out.items():
        say(*wrap(f"{why}: {', '.join(checks)}", WIDTH, subsequent_indent="  "))
    failed = [finding for finding in findings if finding.failed]
    for finding in failed:
        remedy = f"what to do about '{finding.check}': {finding.remedy}"
        say(*wrap(remedy, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    passed = sum(finding.result == "passed" for finding in findings)
    say(f"{name}: {passed} checks passed, {len(failed)} failed")


def _say_paper(card: MethodCard) -> None:
    """Print what the card says of its paper, and the BibTeX entry by which reports cite it."""
    from zsadbench.compare.citations import method_entry

    facts = asdict(card.paper) | {"authors": ", ".join(card.paper.authors)}
    say("paper", *(f"  {name}: {value}" for name, value in facts.items() if value and name != "bibtex"))
    if entry := method_entry(card.name):
        say("  bibtex:", *(f"    {line}" for line in entry.splitlines()))
