"""Text that LaTeX prints as it is, whatever it says."""

from __future__ import annotations

import unicodedata

from zsadbench.printing import one_line

MEANT = {
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
    """LaTeX source that is inserted as it stands."""

    __slots__ = ()


def escape(text: object) -> Tex:
    r"""Plain text as LaTeX source for pdfLaTeX; characters it has no glyph for become `[U+4E2D]`.

    >>> escape("metal_nut: 50 % & <b>")
    'metal\\_\\allowbreak{}nut:\\allowbreak{} 50 \\% \\& \\textless{}b\\textgreater{}'
    """
    if isinstance(text, Tex):
        return text
    return Tex("".join(map(_character, " ".join(one_line(text).split()))))


def _character(one: str) -> str:
    if one in MEANT:
        return MEANT[one]
    if one.isascii():
        return one
    if "À" <= one <= "ÿ" and one not in "ÐðÞþ÷":  # what pdfLaTeX prints with its first fonts
        return one
    plain = "".join(part for part in unicodedata.normalize("NFKD", one) if part.isascii())
    return escape(plain) if plain and plain.isalnum() else f"[U+{ord(one):04X}]"
