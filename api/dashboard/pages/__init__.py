"""Answers a request with a page. Handlers run in a thread, and may wait for the engine."""
