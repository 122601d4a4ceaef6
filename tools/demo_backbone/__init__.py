"""Makes the small CLIP that is shipped for trials."""
