"""Tables of a report: measured and published numbers, costs, ablations, significance."""
