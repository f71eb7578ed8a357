"""Writes what docs/ has from the code: the public API, and every log line."""
