"""The generated pages of the reference."""

from doc_site import cards, commands, datasets, fields, methods, metrics, protocols, python


def pages() -> dict[str, str]:
    """Path on the site → Markdown."""
    made = {
        "commands": commands.page,
        "python": python.page,
        "cards": cards.page,
        "records": fields.page,
        "metrics": metrics.page,
        "protocols": protocols.page,
        "methods": methods.page,
        "datasets": datasets.page,
    }
    return {f"reference/{name}.md": make() for name, make in made.items()}
