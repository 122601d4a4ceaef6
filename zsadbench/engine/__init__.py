"""The life of a cell, one folder per step: plan → encode → learn or evaluate → record.

plan      request → checked jobs: options, method setup, cell, supports, sharing, classes done
encode    images, masks, supports and class names through the frozen encoders; batch sizes; cached tokens
learn     the training loop, and detectors from checkpoints
evaluate  one class: batch loop, scoring, anomaly maps, metrics, thresholds
record    the record of a job: entries per class, sidecars, leakage, provenance, writer
machine   what they all use: device, threads, clocks, memory, background thread

`run` runs a plan, `train` makes checkpoints only, `estimate` predicts the duration of a run.
"""
