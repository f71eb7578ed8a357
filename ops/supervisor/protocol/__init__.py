"""The messages between the supervisor and a child: environment variables at the start, then heartbeats.

The two may be of different versions: a reload starts children of a new version under the old supervisor.
"""
