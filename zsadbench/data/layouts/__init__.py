"""Files of a benchmark to samples: trees by rules of paths, tables by their columns."""
