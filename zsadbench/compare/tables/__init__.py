"""The tables of a report: measured and published numbers, costs, ablations, breakdowns and significance."""
