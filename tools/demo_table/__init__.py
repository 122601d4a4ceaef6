"""Run the demo with its controls and compare them in tables."""
