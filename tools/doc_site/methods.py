"""The page of the methods: paper, kinds of backbones and options with their defaults, from the cards."""

from dataclasses import fields

from doc_site.markdown import code, prose, table

HEAD = """# Options of the methods

From the cards of the methods; `zsadbench methods show NAME` prints the same. Options are set with `-O NAME=VALUE`;
those of the recipe with `-O recipe.NAME=VALUE`. [Methods](../methods.md) compares sizes and costs.
"""


def page() -> str:
    """The Markdown of the page."""
    from zsadbench import registry

    return "\n\n".join([HEAD, *map(_section, registry.method_cards())]) + "\n"


def _section(card):
    paper = card.paper
    default = card.options()
    facts = [
        ("paper", f"{prose(paper.title)}, {paper.venue} {paper.year}{', unofficial' if card.unofficial else ''}"),
        ("backbones", ", ".join(map(code, card.kinds))),
        ("few shots", "yes" if card.few_shot else "no"),
        ("protocols", ", ".join(code(protocol.name) for protocol in card.protocols)),
        ("presets", ", ".join(map(code, card.presets))),
    ]
    if card.recipe:
        recipe = card.recipe
        facts.append(("training", f"{recipe.optimiser}, learning rate {recipe.lr}, batches of {recipe.batch}"))
    options = [(code(entry.name), code(_shown(getattr(default, entry.name)))) for entry in fields(default)]
    page = f"[Its page](../methods/{card.name}.md).\n\n" if _has_page(card.name) else ""
    text = f"## {card.name}\n\n{page}" + table(["", ""], [fact for fact in facts if fact[1]])
    return text + ("\n\n" + table(["option", "default"], options) if options else "\n\nNo options.")


def _has_page(name):
    from pathlib import Path

    return (Path(__file__).resolve().parents[2] / "docs" / "methods" / f"{name}.md").exists()


def _shown(value):
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
