"""Images, masks, supports and class names through the frozen encoders; batch sizes; cached training tokens."""
