"""The computer that a run uses: device, threads, clocks, peak memory, background work."""
