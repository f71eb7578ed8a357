"""Log output that never blocks its writer: neither the supervisor nor a child waits for a slow reader."""
