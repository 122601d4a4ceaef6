"""`index.html` of `predict`: one page, offline, on which someone decides which images to look at again."""
