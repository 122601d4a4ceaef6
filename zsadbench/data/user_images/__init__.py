"""Images of the user: `folder:PATH` and `csv:PATH` as data sets, and lists of images without labels."""
