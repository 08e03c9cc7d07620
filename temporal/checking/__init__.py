"""`perdure check`: runs an agent with a made-up model under the guard, replays it in other processes, and says what it
found, by the node's name and the line.
"""
