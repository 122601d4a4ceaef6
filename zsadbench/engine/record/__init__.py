"""Records in the making: entries per class, sidecars, leakage, provenance."""
