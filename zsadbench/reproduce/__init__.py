"""Reproduction of the tables of papers: `zsadbench/papers` describes how each row was run; ours is compared with it."""
