"""Which code a method is: the part of a record's identity that changes when other code may give other numbers.

A shipped method is identified by the version on its card, and so is one of another package whose card has a version.
Without a version it is the SHA-256 of the package's source, and for a plugin file always the SHA-256 of the file and of
every module that it imports from its folder.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from zsadbench import registry
from zsadbench.errors import UsageError
from zsadbench.source_hash import package_sha256

SHIPPED = "zsadbench_methods"  # the package of the methods of this project


class MethodCode(NamedTuple):
    """The code of one method.

    Attributes:
        identity: what goes into the cell: a version, or `sha256:` and 64 hexadecimal digits.
        distribution: that brings the method; None for a plugin file.
        version: of the distribution; None for a plugin file.
        source_sha256: of the package's source, or of the plugin file and the modules of its folder.
    """

    identity: str
    distribution: str | None
    version: str | None
    source_sha256: str

    def provenance(self) -> dict[str, Any]:
        """Return distribution, version and source hash, for the provenance of a record."""
        return {"distribution": self.distribution, "version": self.version, "source_sha256": self.source_sha256}


def is_shipped(name: str) -> bool:
    """Whether a registered method is one of this project's."""
    return registry.entry_point("methods", name).module.partition(".")[0] == SHIPPED


def code_of(name: str) -> MethodCode:
    """Return the code of a registered method.

    Raises:
        UsageError: there is no such method, a shipped method has no version, or the source cannot be read.
    """
    card, plugin = registry.method_card(name), registry.plugin_sha256_of(name)
    if plugin is not None:
        return MethodCode(f"sha256:{plugin}", None, None, plugin)
    point = registry.entry_point("methods", name)
    package = point.module.partition(".")[0]
    digest = package_sha256(package)
    if not card.version and package == SHIPPED:
        raise UsageError(f"the card of '{name}' states no version")
    distribution, installed = (point.dist.name, point.dist.version) if point.dist else (None, None)
    return MethodCode(card.version or f"sha256:{digest}", distribution, installed, digest)
