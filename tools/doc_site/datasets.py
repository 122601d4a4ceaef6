"""The page of the data sets, from their cards."""

from doc_site.markdown import code, prose, table

HEAD = """# Data sets

From the cards; `zsadbench datasets show NAME` prints one, and [Data sets](../datasets.md) tells how copies are found
and checked. Images are those of the test split, which a zero-shot run reads; where a copy has other numbers than those
*not confirmed*, a check notes it and finds no fault.
"""


def page() -> str:
    """The Markdown of the page."""
    from zsadbench.data import all_cards

    cards = sorted(all_cards(), key=lambda card: (card.domain, card.name))
    rows = [
        (
            code(card.name),
            card.domain,
            str(len(card.classes)),
            ", ".join(card.levels),
            _images(card.expected.get("test")),
        )
        for card in cards
    ]
    parts = [HEAD, table(["name", "domain", "classes", "levels", "test images"], rows), *map(_section, cards)]
    return "\n\n".join(parts) + "\n"


def _images(expected):
    if expected is None or not (expected.total or expected.counts):
        return "unknown"
    normal, anomalous = expected.total or [sum(column) for column in zip(*expected.counts.values(), strict=True)]
    return f"{normal} normal, {anomalous} anomalous{'' if expected.certain else ' (not confirmed)'}"


def _section(card):
    words = ", ".join(name if text == name else f"{name} ({text})" for name, text in card.classes.items())
    home = f"[{card.homepage.removeprefix('https://')}]({card.homepage})" if card.homepage else ""
    facts = [
        ("title", prose(card.title)),
        ("also called", ", ".join(map(code, card.names[1:]))),
        ("home page", home),
        ("licence", prose(card.licence)),
        ("to get it", prose(card.obtain)),
        ("classes (words in prompts)", prose(words)),
        ("grey values of masks that are anomalous", code(card.positive) if card.pixel_level else ""),
        ("layouts", ", ".join(code(layout.name) for layout in card.layouts)),
        ("cite", ", ".join(map(code, card.cite))),
    ]
    return f"## {card.name}\n\n" + table(["", ""], [fact for fact in facts if fact[1]])
