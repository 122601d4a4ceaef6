"""`score` and `audit`: anomaly maps that any program saved, measured like those of a run."""
