"""Path templates: `{name}` stands for one path segment or a part of it."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"\{(\w+)\}")


def captures(template: str) -> set[str]:
    """Names that a template captures.

    >>> sorted(captures("{class}/test/{stem}.{ext}"))
    ['class', 'ext', 'stem']
    """
    return set(_NAME.findall(template))


def pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a template; a repeated name must be equal, an extension holds no dot.

    >>> pattern("{class}/{class}/{stem}.{ext}").fullmatch("a/b/1.png") is None
    True
    """
    parts, seen = [], set()
    for place, part in enumerate(_NAME.split(template)):
        if place % 2 == 0:
            parts.append(re.escape(part))
        elif part in seen:
            parts.append(f"(?P={part})")
        else:
            seen.add(part)
            parts.append(f"(?P<{part}>{'[^/.]+' if part == 'ext' else '[^/]+'})")
    return re.compile("".join(parts))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with every name replaced; names without a value stay.

    >>> fill("masks/{stem}.{ext}", {"stem": "7"})
    'masks/7.{ext}'
    """
    return _NAME.sub(lambda found: values.get(found[1], found[0]), template)
