"""One module a contestant. Each is opened in a process of its own: see `serve.py`."""
