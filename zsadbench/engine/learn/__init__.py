"""Training on the auxiliary set: the loop, and detectors from checkpoints."""
