"""Load images in batches: decode them in threads, cache them on disk within a budget."""
