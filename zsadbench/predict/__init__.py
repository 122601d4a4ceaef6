"""Scores, heat maps and stages of images without labels."""
