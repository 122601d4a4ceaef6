"""Tests of whether differences between methods are larger than chance."""
