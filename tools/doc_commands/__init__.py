"""The commands and snippets of the documentation: found, classed by one table of substitutions, executed or parsed."""
