"""The copy of a benchmark on disk: located, complete, fingerprinted, listed in a manifest, checked."""
