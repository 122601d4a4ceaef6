"""Report formats: each registers one `zsadbench.compare.Report` as an entry point."""
