"""The process that drives a run: which unit comes next, what is merged, which record is written."""
