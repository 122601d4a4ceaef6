"""Cards: what is known about one benchmark, as values, and how they are parsed from TOML."""
