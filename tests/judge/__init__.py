"""An outside judge of Recado: it kills, stops and cuts off what runs, and counts what customers got.

It imports nothing of Recado's. It signs webhooks by itself, plays Twilio and the model over HTTP, starts
`recado up` as a program, and learns what became of messages from three sides only: the answers to its own
requests, what its Twilio accepted, and what `recado ... --json` and `/api/v1` show a person.
"""
