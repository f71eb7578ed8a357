"""Writes docs/api.md, the page of the public API, from its docstrings."""
