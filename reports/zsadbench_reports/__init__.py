"""Reports: tables to files."""
