"""Synthetic miniatures of benchmarks: their official layouts with small generated images."""
