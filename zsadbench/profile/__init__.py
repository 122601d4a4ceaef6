"""`profile`: what a method costs: latency, throughput, memory, energy, and lower bounds of its time."""
