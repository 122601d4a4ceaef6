"""Zero-shot anomaly detection with CLIP: every method, every benchmark, one protocol."""
