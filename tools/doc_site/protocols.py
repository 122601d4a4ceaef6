"""The page of the protocols: every field, and where each protocol differs from `strict`."""

import inspect
from dataclasses import fields

from doc_site.markdown import attributes, code, prose, table

HEAD = """# Protocols

A protocol is a value: every choice from the image file to the number in a table. Results under different protocols are
never averaged or ranked together. `zsadbench protocol show NAME` prints one, `zsadbench protocol diff A B` the fields
in which two differ.
"""


def page() -> str:
    """The Markdown of the page."""
    from zsadbench import registry
    from zsadbench.protocol import EvaluationProtocol, differing

    strict = registry.protocol("strict")
    texts = attributes(inspect.getdoc(EvaluationProtocol))
    rows = [
        (code(entry.name), code(_shown(getattr(strict, entry.name))), prose(texts[entry.name]))
        for entry in fields(EvaluationProtocol)
        if entry.name != "name"
    ]
    parts = [HEAD, "## Fields, and their values in `strict`", table(["field", "`strict`", "is"], rows)]
    parts.append("## What differs from `strict`")
    for protocol in registry.protocols():
        changed = differing(strict, protocol)
        if changed:
            lines = [(code(name), code(_shown(old)), code(_shown(new))) for name, (old, new) in changed.items()]
            parts.append(f"### {protocol.name}\n\n" + table(["field", "`strict`", code(protocol.name)], lines))
    return "\n\n".join(parts) + "\n"


def _shown(value):
    if isinstance(value, tuple):
        return ", ".join(":".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in value) or "none"
    return str(value) or "none"
