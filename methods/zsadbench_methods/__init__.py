"""The methods, one folder per paper.

`about.py` holds the card that the entry points name, `options.py` the options. `model.py` reads as the paper's figure,
with one module per part of it; `fused.py`, where there is one, is its fast path. `losses.py` has the training losses,
`stages.py` the names of intermediate results. `parts` holds what several methods share.
"""
