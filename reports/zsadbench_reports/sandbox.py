"""The environment in which templates run, also those of a user's folder: Jinja's sandbox, without access to files."""

from __future__ import annotations

from typing import Any

from jinja2.sandbox import SandboxedEnvironment

WRITING = ("pathlib", "pandas", "numpy", "pyarrow", "os", "io")  # packages whose objects have methods that write files


class Sandbox(SandboxedEnvironment):
    """Templates reach the values that a report gives them; of paths, frames and arrays no attribute at all."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may use an attribute of an object."""
        package = type(obj).__module__.partition(".")[0]
        return package not in WRITING and super().is_safe_attribute(obj, attr, value)
