"""Damage a valid file: its bytes, or the values in its JSON, TOML or table."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

VALUES = (
    *("null", "true", "[]", "{}", '""', '"x"', "0", "-1", "1e999", "NaN", "2.5", "99999999999999999999", '"../../x"'),
    *('"\\u0000"', '"\\ud800"', '"<script>"', "[[[[]]]]", '"' + "x" * 5000 + '"'),
)
TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')
DEEP = 20_000  # levels of nesting


def flip(content: bytes, chance: random.Random) -> bytes:
    """Change a few bits."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """Keep the beginning."""
    return content[: chance.randrange(len(content) + 1)]


def remove(content: bytes, chance: random.Random) -> bytes:
    """Remove a part from the middle."""
    first = chance.randrange(len(content) + 1)
    return content[:first] + content[first + chance.randint(1, 64) :]


def insert(content: bytes, chance: random.Random) -> bytes:
    """Insert random bytes, or a part of the file once more."""
    first, place = chance.randrange(len(content) + 1), chance.randrange(len(content) + 1)
    part = content[first : first + 64] if chance.random() < 0.5 else chance.randbytes(chance.randint(1, 64))
    return content[:place] + part + content[place:]


def replace_value(content: bytes, chance: random.Random) -> bytes:
    """Replace a text or a number in JSON, TOML or a table by a value of another kind."""
    found = list(TOKENS.finditer(content))
    if not found:
        return flip(content, chance)
    token = chance.choice(found)
    return content[: token.start()] + chance.choice(VALUES).encode() + content[token.end() :]


def drop_entry(content: bytes, chance: random.Random) -> bytes:
    """Remove a line, or an entry of a JSON object."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        lines = content.splitlines(keepends=True)
        if lines:
            del lines[chance.randrange(len(lines))]
        return b"".join(lines)
    holder = value
    while isinstance(holder, dict) and holder:
        key = chance.choice(list(holder))
        if chance.random() < 0.5 or not isinstance(holder[key], dict):
            del holder[key]
            break
        holder = holder[key]
    return json.dumps(value).encode()


def nest(content: bytes, chance: random.Random) -> bytes:
    """Nest a value thousands of levels deep."""
    found = list(TOKENS.finditer(content))
    place = chance.choice(found).start() if found else 0
    opening = chance.choice([b"[", b'{"a":', b"("])
    return content[:place] + opening * DEEP + content[place:]


def swap(content: bytes, chance: random.Random) -> bytes:
    """Return the beginning of another kind of file."""
    heads = (b"", b"\0" * 64, b"<!doctype html><html>", b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04")
    return chance.choice(
        [*heads, b"\x80\x04cos\nsystem\n", b"%PDF-1.7", b"\xff\xfe" + content, b"\xef\xbb\xbf" + content]
    )


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(flip, flip, cut, cut, remove, insert),
    *(replace_value, replace_value, replace_value, drop_entry, nest, swap),
)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Apply one to three mutations."""
    for _ in range(chance.choice([1, 1, 2, 3])):
        content = chance.choice(MUTATIONS)(content, chance)
    return content
