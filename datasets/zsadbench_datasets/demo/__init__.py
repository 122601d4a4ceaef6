"""The demo benchmark: drawn, not photographed, the same pixels on every machine.

`families` is the table of all that is drawn, for whom; `textures`, `shapes` and `defects` draw it, `scenes`
puts light and noise on it, `sets` lays out and writes the two sets. What is drawn is frozen: `frozen` holds
the hashes.
"""
