"""What durability costs: `make bench` measures Perdure against the floor and its rivals, and writes RESULTS.md.

`roster.py` says who takes part. `rounds.py` measures runs of five steps, `growth.py` how the history of a chat grows,
`replay.py` how long it takes to replay; `reports/` says what is told of each.
"""
