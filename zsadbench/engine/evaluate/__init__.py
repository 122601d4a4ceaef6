"""From tokens to metrics: scores, anomaly maps, metrics per class, thresholds, quartiles of region area."""
