"""Which differences between methods are more than chance."""
