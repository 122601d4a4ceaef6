"""Parity with published code: fixtures recomputed, every stage compared."""
