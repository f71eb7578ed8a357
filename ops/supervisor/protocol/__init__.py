"""What the supervisor and a child tell each other: environment variables at the start, then heartbeats.

The two may be of different versions: a reload starts children of a new version under the old supervisor.
"""
