"""What a durable step costs: `make bench` measures Perdure against the floor and against its rival, and writes
RESULTS.md.

`roster.py` says who takes part, `rounds.py` how they are measured, `report.py` what is told of it.
"""
