"""What runs in a child: the API or a worker, and how each tells the supervisor its state."""
