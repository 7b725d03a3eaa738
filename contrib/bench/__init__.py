"""Measures the program beside what it is compared with, in one run: ``make bench``, ``make bench ONLY=accept,refuse``.

Everything runs on this machine, so absolute figures say little. What is compared takes turns, and what is told is the
median of the ratios that each round found: whatever else the machine did in a round, it did to both.

    parts/    one file a part: what is started, what takes turns, which figures come of it
    apps/     what the gate is compared with: the app that its users would have written, and an app that does nothing
    wrk.py    the load generator; buyers.lua makes the buyers
"""
