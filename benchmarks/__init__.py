"""How fast and how small wirecut is, as ratios against peers in the same run.

``python -m benchmarks`` from a checkout with the ``bench`` extra installed prints the tables.
Absolute numbers say more about the machine than about the code; so does a ratio of two runs
at different times.  Here the subjects of a comparison take turns, round by round.
"""
