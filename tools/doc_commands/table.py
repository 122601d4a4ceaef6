"""The table of substitutions: which commands are executed as they are, executed with changes, or only parsed."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Class = Literal["executed", "substituted", "parsed"]


@dataclass
class Rule:
    """One rule: commands in which `find` (a regular expression) occurs are changed `to`, or are parsed `because`.

    `page` is a regular expression for the page; `exit` the exit code that the command has to end with; `file` the name
    under which the reader has saved a block.
    """

    find: str
    to: str = ""
    because: str = ""
    page: str = ""
    exit: int = 0
    file: str = ""
    used: int = field(default=0, compare=False)

    def matches(self, page: str, text: str) -> bool:
        """Whether the rule is about this command."""
        return bool(re.search(self.page, page) and re.search(self.find, text))


@dataclass(frozen=True)
class Task:
    """What is done with a command: its class, the line to execute or parse, and its exit code."""

    kind: Class
    line: str
    exit: int = 0


class Table:
    """The rules of a TOML file: `parse`, `substitute`, `exits`, `files` in order; preludes of Python; slow pages."""

    def __init__(self, path: Path) -> None:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        self.parse = [Rule(**rule) for rule in content["parse"]]
        self.substitute = [Rule(**rule) for rule in content["substitute"]]
        self.exits = [Rule(**rule) for rule in content["exits"]]
        self.files = [Rule(**rule) for rule in content["files"]]
        self.environment: dict[str, str] = content["environment"]
        self.without: dict[str, str] = content["without"]
        self.preludes: dict[str, str] = content["preludes"]
        self.slow = re.compile("|".join(content["slow"]["pages"]))

    def task(self, page: str, text: str) -> Task:
        """The one class of a command: parsed if a rule says so, else substituted if one changes it, else executed."""
        rule = next((rule for rule in self.parse if rule.matches(page, text)), None)
        line = text
        for change in self.substitute:
            if change.matches(page, line):
                change.used += 1
                line = re.sub(change.find, change.to, line)
        if rule:
            rule.used += 1
            return Task("parsed", line)
        ends = next((end for end in self.exits if end.matches(page, text)), None)
        if ends:
            ends.used += 1
        return Task("executed" if line == text else "substituted", line, ends.exit if ends else 0)

    def file_of(self, page: str, text: str) -> str:
        """The name of the file in which the reader has saved a block; empty for most."""
        rule = next((rule for rule in self.files if rule.matches(page, text)), None)
        if rule:
            rule.used += 1
        return rule.file if rule else ""

    def removed(self, line: str) -> list[str]:
        """The variables without which a command runs."""
        return [name for name, find in self.without.items() if re.search(find, line)]

    def unused(self) -> list[str]:
        """The rules that were about no command: they are stale."""
        return [rule.find for rule in (*self.parse, *self.substitute, *self.exits, *self.files) if not rule.used]
