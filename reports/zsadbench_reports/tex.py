"""Escaping of text for LaTeX."""

from __future__ import annotations

import re
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
    "✓": r"\zstick{}",
    "-": "-{}",
    "?": "?{}",
    "!": "!{}",
    "=": r"=\allowbreak{}",
    "+": r"+\allowbreak{}",
    ":": r":\allowbreak{}",
    "/": r"/\allowbreak{}",
}


GREEK = (
    *("alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"),
    *("xi", "omicron", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "varphi", "chi", "psi", "omega"),
)  # α to ω
CAPITALS = ("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega")
MATHEMATICS = {
    **{chr(ord("α") + place): f"\\{name}" for place, name in enumerate(GREEK)},
    **{letter: f"\\{name}" for letter, name in zip("ΓΔΘΛΞΠΣΥΦΨΩ", CAPITALS, strict=True)},
    **{letter: rf"\mathrm{{{latin}}}" for letter, latin in zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True)},
    **{"µ": r"\mu", "\N{OHM SIGN}": r"\Omega", "∆": r"\Delta", "°": r"^\circ", "·": r"\cdot", "÷": r"\div"},
    **{"¬": r"\neg", "∞": r"\infty", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≈": r"\approx", "√": r"\surd", "−": "-"},
    **{"∑": r"\sum", "∂": r"\partial", "→": r"\rightarrow", "←": r"\leftarrow", "↑": r"\uparrow", "↓": r"\downarrow"},
    **{"∅": r"\emptyset", "†": r"\dagger", "±": r"\pm", "×": r"\times"},
    **{character: f"^{digit}" for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{character: f"_{digit}" for digit, character in enumerate("₀₁₂₃₄₅₆₇₈₉")},
}
CHARACTERS = {
    **ESCAPES,
    **{character: rf"\ensuremath{{{command}}}" for character, command in MATHEMATICS.items()},
    **{"–": "--", "—": "---", "‐": "-", "‑": "-", "“": "``", "”": "''", "„": "''", "«": "''", "»": "''", "‘": "`"},
    **{"’": "'", "‚": ",", "…": r"\dots{}", "•": r"\textbullet{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}"},
    **{"£": r"\pounds{}", "ł": r"\l{}", "Ł": r"\L{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ı": r"\i{}"},
}
ACCENTS = dict(
    zip(
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0323",
        ("`", "'", "^", "~", "=", "u", ".", '"', "r", "H", "v", "c", "d"),
        strict=True,
    )
)  # combining mark → command


class Tex(str):
    """LaTeX source, which `escape` leaves unchanged."""

    __slots__ = ()


def escape(text: object) -> Tex:
    r"""Plain text as LaTeX source for every engine.

    A letter that pdfLaTeX cannot set is an argument of `\zsaletter`, which prints it where the engine and the font can,
    and elsewhere its code, such as `[U+4E2D]`.

    >>> escape("metal_nut: 50 % & <b>")
    'metal\\_\\allowbreak{}nut:\\allowbreak{} 50 \\% \\& \\textless{}b\\textgreater{}'
    >>> escape("10 µm"), escape("č"), escape("中")
    ('10 \\ensuremath{\\mu}m', '\\v{c}', '\\zsaletter{4E2D}{中}{[U+4E2D]}')
    """
    if isinstance(text, Tex):
        return text
    plain = unicodedata.normalize("NFC", " ".join(one_line(text).split()))
    return Tex("".join(map(_character, plain)))


def _character(character: str) -> str:
    if character in CHARACTERS:
        return CHARACTERS[character]
    if character.isascii() or ("À" <= character <= "ÿ" and character not in "ÐðÞþ"):
        return character  # pdfLaTeX prints these with its default fonts
    base, marks = unicodedata.normalize("NFD", character)[:1], unicodedata.normalize("NFD", character)[1:]
    if base.isascii() and marks in ACCENTS:
        return rf"\{ACCENTS[marks]}{{{base if base != 'i' else chr(92) + 'i'}}}"
    same = unicodedata.normalize("NFKC", character)  # of a ligature or a wide letter
    if same.isascii() and same.isalpha():
        return same
    return rf"\zsaletter{{{ord(character):04X}}}{{{character}}}{{[U+{ord(character):04X}]}}"


LETTER = re.compile(r"\\zsaletter\{[0-9A-F]+\}\{(.)\}")


def letters_remark(source: str) -> str:
    """A comment of LaTeX that names the letters which pdfLaTeX prints as codes; empty if there are none."""
    letters = dict.fromkeys(LETTER.findall(source))
    if not letters:
        return ""
    listed = " ".join(f"{letter} (U+{ord(letter):04X})" for letter in letters)
    return f"% pdfLaTeX prints the codes of these letters, XeLaTeX and LuaLaTeX the letters of the font: {listed}\n"
