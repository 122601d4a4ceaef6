"""The computer that a run uses: device, threads, clocks, peak memory, copies to the host, background thread."""
