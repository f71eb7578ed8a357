"""Events to other systems: EVENTS_URL. What they say (`event`), how they are signed, and where they are sent.

An actor announces a fact in `actors/announcing.py`: a message in the queue `events` for each URL.
"""
