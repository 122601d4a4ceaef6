"""The page of the fields of records and of the files beside them, from the shipped JSON Schemas."""

import json
from importlib.resources import files

from doc_site.markdown import code, prose, table

HEAD = """# Fields of records

Every file that is written validates against the JSON Schema in the package (`zsadbench/*.schema.json`). A dot goes
into an object, `[]` into the entries of a list, `*` stands for any key. Values of metrics are fractions from 0 to 1;
null always has its reason in `undefined`. [Metrics](../metrics.md) has their definitions.
"""
SCHEMAS = {
    "Record: `<id>.json`": "record",
    "Details: `<id>.details.json.gz`": "details",
    "Profile": "profile",
    "Threshold: `threshold.json`": "threshold",
}


def page() -> str:
    """The Markdown of the page."""
    return "\n\n".join([HEAD, *(_section(title, name) for title, name in SCHEMAS.items())]) + "\n"


def _section(title, name):
    schema = json.loads((files("zsadbench") / f"{name}.schema.json").read_text(encoding="utf-8"))
    rows = [(code(path), code(kind), prose(text)) for path, kind, text in _rows(schema, schema, "")]
    return f"## {title}\n\n{prose(schema.get('description', ''))}\n\n" + table(["field", "type", "is"], rows)


def _rows(node, schema, prefix, deep=0):
    required = node.get("required", [])
    entries = dict(node.get("properties", {}))
    if isinstance(node.get("additionalProperties"), dict):
        entries["*"] = node["additionalProperties"]
    for name, entry in entries.items():
        resolved = _resolved(entry, schema)
        path = f"{prefix}{name}"
        text = entry.get("description") or resolved.get("description", "")
        optional = name not in required and name != "*" and bool(required)
        yield path, _kind(resolved), f"{text}; optional".lstrip("; ") if optional and "absent" not in text else text
        if deep < 4:
            yield from _rows(resolved, schema, f"{path}.", deep + 1)
            items = _resolved(resolved.get("items", {}), schema) if isinstance(resolved.get("items"), dict) else {}
            if items.get("properties"):
                yield from _rows(items, schema, f"{path}[].", deep + 1)


def _resolved(node, schema):
    if "$ref" in node:
        found = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return {**_resolved(found, schema), **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _kind(node):
    if "const" in node:
        return json.dumps(node["const"])
    if "enum" in node:
        return ", ".join(json.dumps(value) for value in node["enum"])
    kinds = node.get("type") or [kind for part in node.get("anyOf", node.get("allOf", [])) for kind in _kinds(part)]
    return " or ".join(kinds) if isinstance(kinds, list) else kinds


def _kinds(part):
    kind = part.get("type", "object")
    return kind if isinstance(kind, list) else [kind]
