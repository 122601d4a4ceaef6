"""Batches of images for a run: read by threads, cached on disk within a budget."""
