"""From a request to checked jobs: options, method setup, cell, supports, sharing, classes that are done."""
