"""Chooses how long, and how fast, a method learns from the drawn set `demo-aux`, by classes that it did not see."""
