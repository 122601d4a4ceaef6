"""What lies on this machine: the cache, weights, checkpoints, and whether all that is needed is there."""
