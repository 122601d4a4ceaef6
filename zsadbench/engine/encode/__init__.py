"""Images and sentences through the frozen encoder: batches, towers, text features, supports, cached tokens."""
