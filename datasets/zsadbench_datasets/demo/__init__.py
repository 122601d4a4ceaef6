"""The demo benchmark: generated images, with the same pixels on every machine.

`families` lists textures and shapes, `kinds` the kinds of defect; `textures`, `shapes` and `defects` compute them;
`marks` adds benign marks, `scenes` colour, light and noise; `sets` defines the images of the two sets and writes them;
`frozen` holds the hashes of the frozen images.
"""
