"""Choose learning rate and epochs of a method on `demo-aux`, by its results on held-out families."""
