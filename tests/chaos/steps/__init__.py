"""A process that dies, stops or fails at each step of docs/messages.md."""
