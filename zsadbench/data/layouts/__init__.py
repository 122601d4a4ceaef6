"""Read the images of a copy by its layout: list files, match rules, parse tables."""
