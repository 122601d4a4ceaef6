"""Parity with published code: fixtures of that code are recomputed, and every tensor is compared."""
