"""Feed damaged and hostile files to every reader: `python -m tools.fuzz --minutes 60`."""
