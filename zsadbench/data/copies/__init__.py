"""Copies of benchmarks on disk: find one, read its manifest, check it, and compute what identifies it."""
