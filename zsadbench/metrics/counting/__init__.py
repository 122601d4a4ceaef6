"""The machinery of the metrics: how pixels are read, kept or streamed, counted in parallel, and grouped."""
