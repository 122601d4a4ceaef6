"""Images of the user: `folder:PATH` and `csv:PATH` as data sets, plain paths as a list."""
