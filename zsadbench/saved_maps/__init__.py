"""Anomaly maps that any program made: read from a folder and measured like those of a run."""
