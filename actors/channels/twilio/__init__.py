"""Twilio as a channel. `rest.py` is imported only where it is used: twilio takes half a second to load."""
