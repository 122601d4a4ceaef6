"""What a method costs: latency, throughput, memory, energy and lower bounds."""
