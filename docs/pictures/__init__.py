"""Draws the pictures in docs/images from real runs: `make pictures`. Begin with `__main__.py`."""
