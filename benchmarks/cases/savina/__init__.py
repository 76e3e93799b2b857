"""Cases of Savina, the benchmark suite of S. Imam and V. Sarkar (AGERE! 2014), written anew.

The work is the published one; the sizes are the suite's own, except the count that is calibrated.
"""
