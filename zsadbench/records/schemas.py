"""The JSON Schemas that are shipped, and the one line about a file that does not keep to its own."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from zsadbench.errors import ZsadError

Kind = Literal["record", "details"]


def check_schema(content: Any, kind: Kind) -> None:
    """Check what was read, or will be written, against the schema of its `kind`.

    Raises:
        ZsadError: the first thing that is wrong, and where.
    """
    problem = next(iter(_validator(kind).iter_errors(content)), None)
    if problem is not None:
        place = "/".join(map(str, problem.absolute_path)) or "the top"
        raise ZsadError(f"no valid {kind}: at {place}: {problem.message.splitlines()[0][:200]}")


@cache
def _validator(kind: Kind) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(files("zsadbench").joinpath(f"{kind}.schema.json").read_text()))
