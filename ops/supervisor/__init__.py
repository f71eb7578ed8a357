"""Runs the API and the workers of one machine: starts, inspects, restarts, replaces and stops them.

The folders, in the order in which one imports the other:

    protocol/   the messages between the supervisor and a child: environment variables, heartbeats
    policy/     the rules, without processes and without a clock: restarts, recycling, diagnosis, autoscaler
    control/    the decisions: the supervisor, its children in their slots, replacements, reload, shutdown
    output/     log output that never blocks its writer
    process/    the operating system: child processes, event loop, sockets, run directory, systemd
    status/     the status socket, its client, and `recado status`
    child/      the code that runs in a child: the API or a worker, and the heartbeats of each

`up` puts the parts together for `recado up`; `entry` runs a child. `operating_system` has a fallback for what
only Linux has. Only `child/` imports the API, the actors and the brokers, so the supervisor's own process
stays small.
"""
