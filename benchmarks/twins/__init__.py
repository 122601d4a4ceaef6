"""Slow twins: each head in the order of operations of its published code, with our weights, without shortcuts."""
