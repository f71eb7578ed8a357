"""The supervisor's status: the socket that tells it, the client that asks for it, and `recado status`."""
