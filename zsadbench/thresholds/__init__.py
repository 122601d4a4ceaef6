"""Thresholds that turn scores into verdicts, and what is promised of them: pure numbers and one file.

    conformal   from scores of normal images alone, with the law of the false-alarm rate
    recall      how many defective images a threshold finds, with a bootstrap interval
    agreement   whether the false-alarm rate on new normal images still fits
    file        the JSON file: read, write, and refuse for another detector

An image is called anomalous when its score is above the threshold by more than rounding (`is_above`). NumPy and SciPy
are imported where they are needed.
"""

from zsadbench.thresholds.agreement import Agreement, agreement_of
from zsadbench.thresholds.conformal import ConformalThreshold, conformal_threshold, images_needed, is_above
from zsadbench.thresholds.file import Level, Threshold, read_threshold, write_threshold
from zsadbench.thresholds.recall import Recall, recall_of

__all__ = [
    "Agreement",
    "ConformalThreshold",
    "Level",
    "Recall",
    "Threshold",
    "agreement_of",
    "conformal_threshold",
    "images_needed",
    "is_above",
    "read_threshold",
    "recall_of",
    "write_threshold",
]
