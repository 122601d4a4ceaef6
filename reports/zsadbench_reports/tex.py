"""Escaping of text for LaTeX."""

from __future__ import annotations

import unicodedata

from zsadbench.printing import one_line

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_\allowbreak{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar\allowbreak{}",
    '"': "''",
    "`": r"\textquoteleft{}",
    "-": "-{}",
    "?": "?{}",
    "!": "!{}",
    "=": r"=\allowbreak{}",
    "+": r"+\allowbreak{}",
    ":": r":\allowbreak{}",
    "/": r"/\allowbreak{}",
    "†": r"\ensuremath{\dagger}",
    "±": r"\ensuremath{\pm}",
    "×": r"\ensuremath{\times}",
    "–": "--",
    "—": "---",
}


class Tex(str):
    """LaTeX source, which `escape` leaves unchanged."""

    __slots__ = ()


def escape(text: object) -> Tex:
    r"""Plain text as LaTeX source for pdfLaTeX; characters without a glyph are written as `[U+4E2D]`.

    >>> escape("metal_nut: 50 % & <b>")
    'metal\\_\\allowbreak{}nut:\\allowbreak{} 50 \\% \\& \\textless{}b\\textgreater{}'
    """
    if isinstance(text, Tex):
        return text
    return Tex("".join(map(_character, " ".join(one_line(text).split()))))


def _character(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    if character.isascii():
        return character
    if "À" <= character <= "ÿ" and character not in "ÐðÞþ÷":  # pdfLaTeX prints these with its default fonts
        return character
    plain = "".join(part for part in unicodedata.normalize("NFKD", character) if part.isascii())
    return escape(plain) if plain and plain.isalnum() else f"[U+{ord(character):04X}]"
