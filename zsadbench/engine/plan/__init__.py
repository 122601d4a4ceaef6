"""From a request to jobs: checks, options, cells, supports, and what is done already."""
