"""Takes requests from Starlette: checks who asks and from where, and has pages answered in threads."""
