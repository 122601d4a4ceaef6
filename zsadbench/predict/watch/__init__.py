"""`predict --watch FOLDER`: score images as they arrive, each once, also after a restart.

finished   when a file is completely written
arrivals   which files of a folder are new, by events and by listing it
journal    what was scored, kept on disk line by line
follow     the loop
"""
