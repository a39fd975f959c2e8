"""How often a gate is right, measured on simulated scores whose truth is known.

    python -m benchmarks.decisions [--runs N] [--seed N] [--quick] [--page FILE]

`worlds` invents scores, `scenarios` lists what is asked of them, `trials` lets `vcmp.decide` and
simpler gates judge the same samples, `results` counts, `page` writes docs/decisions.md.
"""
