"""Writes what docs/ has from the code: the public API, every log line, what comes of a death at each step."""
