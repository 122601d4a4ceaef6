"""From the flags of a verb to a `RunRequest`: the one place that knows how flags and fields correspond."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zsadbench.cli.shared.common import split, split_numbers, split_options, targets_of
from zsadbench.errors import UsageError

if TYPE_CHECKING:
    from zsadbench.engine.plan.request import RunRequest


def batch_of(text: str) -> int | None:
    """`auto` as None, else the number."""
    if text == "auto":
        return None
    if not text.isdigit():
        raise UsageError(f"--batch-size is '{text}'; it takes 'auto' or a number")
    return int(text)


def bytes_of(text: str | None, flag: str) -> int | None:
    """A size such as `20GiB`, `500MB` or `0` in bytes; powers of 1024, whatever the spelling.

    >>> [bytes_of(text, "--image-cache") for text in ("1.5 GiB", "2m", None)]
    [1610612736, 2097152, None]
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if found is None:
        raise UsageError(f"{flag} is '{text}'; it takes a size such as 20GiB or 500MiB")
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2] or " "))


def readers(given: int | None) -> int:
    """Threads that read images, as asked for or as usual."""
    from zsadbench.engine.plan.request import default_workers

    return default_workers() if given is None else given


def token_room(text: str | None) -> int:
    """Bytes for remembered tokens, as asked for or as usual."""
    from zsadbench.engine.plan.request import TOKEN_CACHE

    asked = bytes_of(text, "--token-cache")
    return TOKEN_CACHE if asked is None else asked


FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {  # a flag's parameter → the field, and how it is read
    "method": ("methods", split),
    "target": ("targets", targets_of),
    "class_": ("classes", split),
    "seed": ("seeds", lambda given: split_numbers(given, "--seed")),
    "shots": ("shots", lambda given: split_numbers(given, "--shots") or (0,)),
    "support_seed": ("support_seeds", lambda given: split_numbers(given, "--support-seed") or (0,)),
    "option": ("options", split_options),
    "batch_size": ("batch_size", batch_of),
    "workers": ("workers", readers),
    "image_cache": ("image_cache", lambda given: bytes_of(given, "--image-cache")),
    "token_cache": ("token_cache", token_room),
    "data_root": ("data_roots", lambda given: tuple(given or ())),
    "metric": ("metrics", split),
}


def request_of(asked: Mapping[str, Any], **settled: Any) -> RunRequest:
    """The request that flags mean; parameters that are no field of it are passed over.

    Args:
        asked: the parameters of a verb, by name.
        settled: fields that the verb decides, in place of the flags'.

    Raises:
        UsageError: a flag cannot be right.
    """
    from zsadbench.engine.plan.request import RunRequest

    fields = {FIELDS[name][0]: FIELDS[name][1](value) for name, value in asked.items() if name in FIELDS}
    same = {
        name: value for name, value in asked.items() if name in RunRequest.__dataclass_fields__ and name not in FIELDS
    }
    return RunRequest(**{**same, **fields, **settled})


def learned_from(asked: Mapping[str, Any]) -> str:
    """What a verb without a target learns from: as asked, else as for the demo, or for one's own images."""
    from zsadbench.clip.config import DEMO
    from zsadbench.engine.plan.checks import aux_for

    demo = DEMO in {asked["backbone"], asked["weights"]}
    return asked["aux"] or aux_for("demo" if demo else "folder:.", None)


def detector_request(asked: Mapping[str, Any]) -> RunRequest:
    """The request for one detector and no target, in whose place stands what is learned from.

    A checkpoint learned already, whatever `--aux` says.

    Raises:
        UsageError: a flag cannot be right.
    """
    from zsadbench.engine.plan.request import NO_AUX

    learns, place = learned_from(asked), learned_from({**asked, "aux": None})
    aux = learns if asked["checkpoint"] is None else None
    return request_of(asked, targets=(place if learns == NO_AUX else learns,), aux=aux)
