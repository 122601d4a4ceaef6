"""The environment in which templates run, also those of a user's folder: Jinja's sandbox, without access to files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jinja2.sandbox import SandboxedEnvironment

from zsadbench.errors import UsageError, ZsadError

WRITING = ("pathlib", "pandas", "numpy", "pyarrow", "os", "io")  # packages whose objects have methods that write files


class Sandbox(SandboxedEnvironment):
    """Templates reach the values that a report gives them; of paths, frames and arrays no attribute at all."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may use an attribute of an object."""
        package = type(obj).__module__.partition(".")[0]
        return package not in WRITING and super().is_safe_attribute(obj, attr, value)


@contextmanager
def faults_named(templates: Path | None) -> Iterator[None]:
    """Blame whatever a rendering raises on the user's templates, if there are any.

    Raises:
        UsageError: a template of `templates` is wrong.
    """
    try:
        yield
    except (ZsadError, OSError):
        raise
    except Exception as failure:
        if templates is None:
            raise
        reason = " ".join(f"{failure}".split()) or type(failure).__name__
        raise UsageError(f"a template of '{templates}' cannot be used: {reason}") from failure
