"""Runs the demo with its controls and sets them side by side."""
