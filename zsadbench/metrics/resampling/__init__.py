"""What bootstrap intervals are made of.

tables   the pixels of an image, counted in bins: one table per image
draws    how often each resample contains each image
values   the metrics of each resample
"""
