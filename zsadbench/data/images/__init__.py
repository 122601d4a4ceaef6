"""Image files and masks as arrays: open any format, preprocess, hash."""
