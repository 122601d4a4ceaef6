"""Take off what other programs wrap around a state dict: one rule for CLIP's towers and for published checkpoints.

People save a state dict bare, or as an entry (`state_dict`, `model`, …) beside an epoch and an optimiser, and their
training may put words before the names (`module.`, `model.`, `_orig_mod.`). The rule needs no list of such words: the
tensors lie where the known names lie, whatever stands before them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zsadbench.errors import WeightsError
from zsadbench.printing import one_line

if TYPE_CHECKING:
    from torch import Tensor

DEEPEST = 6  # levels of containers that are searched
SHOWN = 4  # names that a message lists
CONTAINERS = (Mapping, list, tuple)


@dataclass(frozen=True)
class _Part:
    """A prefix of names inside one container, which is a mapping of the file; `path` leads to the container."""

    path: tuple[str, ...]
    prefix: str

    def full_name(self, name: str) -> str:
        """The name as it stands in the file."""
        return ".".join((*self.path, self.prefix + name))


def unwrap(raw: Any, names: Collection[str], source: str) -> dict[str, Any]:
    """Return the entries that lie beside `names`, under their names inside, whatever they are wrapped in.

    For each of `names`, its part is the container and the prefix under which most of `names` are found; all entries of
    these parts are returned, other containers (such as an optimiser) are left out.

    Args:
        raw: the content of a file: mappings and lists in any nesting.
        names: names of which the state dict has some, such as `visual.conv1.weight`.
        source: the file, for messages.

    Returns:
        Name → value; empty where none of `names` is found.

    Raises:
        WeightsError: a name is found at two places with different tensors, and neither lies beside more of `names`.
    """
    containers = dict(_containers(raw))
    places: dict[str, list[_Part]] = {}
    for path, content in containers.items():
        for key in content:
            for prefix, name in _suffixes(key):
                if name in names:
                    places.setdefault(name, []).append(_Part(path, prefix))
    counts = Counter(part for parts in places.values() for part in parts)
    chosen: Counter[_Part] = Counter()
    for name, parts in places.items():
        chosen[_best(name, parts, counts, containers, source)] += 1
    found: dict[str, Any] = {}
    for part, _ in chosen.most_common():
        for key, value in containers[part.path].items():
            if key.startswith(part.prefix):
                found.setdefault(key.removeprefix(part.prefix), value)
    return found


def published_tensors(raw: Any, names: Collection[str], source: str, what: str) -> dict[str, Tensor]:
    """Return the tensors `names` of a published file, whatever they are wrapped in.

    Args:
        raw: the content of the file.
        names: all tensors that are needed, by their published names.
        source: the file, for messages.
        what: what the file must be, for messages, such as `FB-CLIP checkpoint`.

    Raises:
        WeightsError: a tensor is missing, no tensor, or there twice.
    """
    from torch import Tensor

    found = unwrap(raw, names, source)
    missing = sorted(set(names) - found.keys())
    if len(missing) > len(names) / 2:
        held = entry_names(raw)
        shown = ", ".join(f"'{one_line(name)}'" for name in held[:SHOWN]) + (", …" if len(held) > SHOWN else "")
        raise WeightsError(
            f"{source} is no {what}: {missing[0]} is missing ({len(missing)} tensors); "
            f"it holds {shown or 'nothing with a name'}"
        )
    if missing:
        raise WeightsError(f"{source} is no complete {what}: {missing[0]} is missing ({len(missing)} tensors)")
    for name in names:
        if not isinstance(found[name], Tensor):
            raise WeightsError(f"{source} is no {what}: '{name}' is no tensor but {type(found[name]).__name__}")
    return {name: found[name] for name in names}


def tensors_of(raw: Any) -> dict[str, Tensor]:
    """Return all tensors by their names in the file, those of nested containers with the path before them."""
    from torch import Tensor

    return {
        ".".join((*path, key)): value
        for path, content in _containers(raw)
        for key, value in content.items()
        if isinstance(value, Tensor)
    }


def entry_names(raw: Any) -> list[str]:
    """List the names of all entries, those of nested containers with the path before them."""
    names = []
    for path, content in _containers(raw):
        names += [".".join(path)] if path else []
        names += [".".join((*path, key)) for key in content]
    return names


def _containers(raw: Any) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield every mapping, and every list as one, once: the path to it and its entries that are no containers."""
    todo: list[tuple[tuple[str, ...], Any]] = [((), raw)]
    seen = set()  # a hostile file may hold a container within itself
    while todo:
        path, container = todo.pop(0)
        if id(container) in seen or not isinstance(container, CONTAINERS):
            continue
        seen.add(id(container))
        content = container if isinstance(container, Mapping) else dict(enumerate(container))
        yield path, {str(key): value for key, value in content.items() if not isinstance(value, CONTAINERS)}
        if len(path) < DEEPEST:
            todo += [((*path, str(key)), value) for key, value in content.items() if isinstance(value, CONTAINERS)]


def _suffixes(key: str) -> Iterator[tuple[str, str]]:
    """Yield every way to cut a name into a prefix, which is empty or ends in a dot, and the rest."""
    parts = key.split(".")
    for number in range(len(parts)):
        rest = ".".join(parts[number:])
        yield key.removesuffix(rest), rest


def _best(
    name: str, parts: list[_Part], counts: Counter[_Part], containers: Mapping[tuple[str, ...], Any], source: str
) -> _Part:
    """Return the part in which most of the names lie.

    Raises:
        WeightsError: two parts have equally many, and other tensors.
    """
    most = max(counts[part] for part in parts)
    best, *others = [part for part in parts if counts[part] == most]
    for other in others:
        first, second = (containers[part.path][part.prefix + name] for part in (best, other))
        if not _equal(first, second):
            raise WeightsError(
                f"{source} holds two different tensors '{name}': '{best.full_name(name)}' and "
                f"'{other.full_name(name)}'; save the one that is meant alone"
            )
    return best


def _equal(first: Any, second: Any) -> bool:
    from torch import Tensor, equal

    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.shape == second.shape and first.dtype == second.dtype and equal(first, second)
    return first is second
