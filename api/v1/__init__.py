"""The API for other programs, /api/v1: conversations, replies, dead letters and queues as JSON."""
