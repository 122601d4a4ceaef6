"""Flags: each is declared once, with the field of a request that it sets."""
