"""Telling people, by chat, mail or push, what they would otherwise have to look for: NOTIFY_URLS.

An actor notes an event: a row for each receiver, in the conversations' store, and a message in the queue
`notices` that wakes `notify` when the time to group is over. `notify` tells a receiver all that waits for it
in one notice. While a row waits there is such a message, or the message under which the event happened runs
again: so no crash loses a notice.
"""
