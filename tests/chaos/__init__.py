"""Runs of agents while workers are killed, stopped and frozen: `make chaos`. What is promised must hold then, too."""
