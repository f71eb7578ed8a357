"""Recado's peers under the same judge: the same load and blows for each, and one table.

`make chaos PEERS=1`. Each peer is a small app in `apps/`, which takes the webhooks and sends the replies. Its
processes are killed, and started again as a service manager would. A peer that loses messages fails nothing.
"""
