"""Verbs that look after this machine: cache, weights, checkpoints, what is installed."""
