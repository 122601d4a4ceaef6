"""The tables that verbs print on the terminal."""
