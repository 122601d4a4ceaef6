"""The part of every method's page that follows from its card, the closed form of its cost and the published numbers."""
