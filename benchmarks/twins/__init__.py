"""Slow twins: each head in the order of operations of its published code, on the weights of ours, nothing saved."""
