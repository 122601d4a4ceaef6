"""The documentation site: pages that are generated from code, links to files of the repository."""
