"""Path templates: `{name}` stands for one path segment or a part of it."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"\{(\w+)\}")


def captures(template: str) -> set[str]:
    """The names in a template.

    >>> sorted(captures("{class}/test/{stem}.{ext}"))
    ['class', 'ext', 'stem']
    """
    return set(_NAME.findall(template))


def pattern(template: str) -> re.Pattern[str]:
    """The regular expression of a template, ignoring case; a repeated name must match the same text.

    `{ext}` matches no dot.

    >>> pattern("{class}/{class}/{stem}.{ext}").fullmatch("a/b/1.png") is None
    True
    """
    expression, names = "", set()
    for index, text in enumerate(_NAME.split(template)):  # literal text and names in turn
        if index % 2 == 0:
            expression += re.escape(text)
        elif text in names:
            expression += f"(?P={text})"
        else:
            names.add(text)
            expression += f"(?P<{text}>{'[^/.]+' if text == 'ext' else '[^/]+'})"
    return re.compile(expression, re.IGNORECASE)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replace the names in a template by their values; names without a value stay.

    >>> fill("masks/{stem}.{ext}", {"stem": "7"})
    'masks/7.{ext}'
    """
    return _NAME.sub(lambda match: values.get(match[1], match[0]), template)


def path_glob(glob: str) -> re.Pattern[str]:
    """The regular expression of a glob for whole paths, ignoring case: `*` stays in one segment, `**` does not.

    >>> path_glob("**/*.png").fullmatch("a/b/1.PNG") is None, path_glob("*/1.png").fullmatch("a/b/1.png") is None
    (False, True)
    """
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts), re.IGNORECASE | re.DOTALL)
