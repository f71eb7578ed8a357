"""The code that runs in a child: the API or a worker, and the heartbeats of each."""
