"""The record of a job: entries per class, sidecars, metrics over all classes, leakage, provenance, writer."""
