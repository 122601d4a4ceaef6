"""Train the demo backbone, a small CLIP that is part of the package."""
