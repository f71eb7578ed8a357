"""The pictures in docs/images/, made of a system at work."""
