"""The supervisor's side of the operating system: processes, signals, sockets, the run directory, systemd."""
