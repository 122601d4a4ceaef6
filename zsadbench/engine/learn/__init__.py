"""Training on the auxiliary set: the loop, and detectors from the checkpoint cache."""
