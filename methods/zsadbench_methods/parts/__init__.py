"""Modules that at least two methods share."""
