"""The embedded stack: Temporal's dev server and Weaviate as supervised children on free loopback ports.

Begin with `stack.py`. Nothing here runs in a workflow or an activity; the CLI and the tests open a stack.
"""
