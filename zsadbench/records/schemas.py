"""Validate the content of files against the JSON Schemas in this package."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from zsadbench.errors import ZsadError

Kind = Literal["record", "details", "profile", "threshold"]


def check_schema(content: Any, kind: Kind) -> None:
    """Check content that was read or will be written against the schema of its `kind`.

    Raises:
        ZsadError: it is invalid; the message names the first error and its position.
    """
    problem = next(iter(_validator(kind).iter_errors(content)), None)
    if problem is not None:
        position = "/".join(map(str, problem.absolute_path)) or "the top"
        raise ZsadError(f"no valid {kind}: at {position}: {problem.message.splitlines()[0][:200]}")


@cache
def _validator(kind: Kind) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(files("zsadbench").joinpath(f"{kind}.schema.json").read_text()))
