"""``make bench``: what this system takes to make a ladder, beside other ways to make one, by turns in one run.

The yardstick is :mod:`stack.bench.baseline`, which does not follow the settings of Millrace.
"""
