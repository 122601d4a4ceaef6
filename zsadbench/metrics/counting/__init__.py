"""Read, keep or stream, and count the pixels of a class. The chapters of `zsadbench.metrics` build on this package.

    arrays, arguments   array types; checks of what callers pass
    image, *_kernel     one image: its scores, the runs and regions of its mask, the keys of its scores
    exact               keep every score, in memory or in a `spill_buffer`, and count exactly
    stream              count scores by the upper bits of their keys (`thread_tables`, `histogram`, `stream_groups`)
    cells               count one image in coarse histogram cells, for parts of a class and for bootstrap intervals
    counts, groups      the result: normal and anomalous pixels per group of equal scores
    weights, threads, compiled   region weights in integers; worker threads; how kernels are compiled

`*_kernel` modules import numba. Import them only inside the functions that call them.
"""
