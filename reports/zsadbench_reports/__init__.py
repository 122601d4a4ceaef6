"""Reports: tables to files. Each module has one `Report`, registered as an entry point."""
