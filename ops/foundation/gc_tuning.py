"""When Python looks for garbage: objects that refer to each other and to nothing that lives."""

from __future__ import annotations

import gc

#: How many new objects it takes to look among them. Python's own 700 is what a few requests at a time need
#: anyway: it looked five hundred times in 6,600 webhooks, and found that everything was in use.
NEW_OBJECTS = 10_000

#: The same while a program begins: almost all that it makes then, it keeps.
NEW_OBJECTS_WHILE_LOADING = 50_000


def begin() -> None:
    """Look more rarely, until everything is loaded. Measured: a tenth of the time that it takes to begin."""
    gc.set_threshold(NEW_OBJECTS_WHILE_LOADING)


def freeze() -> None:
    """Everything is loaded: from now on, look only among what comes.

    A full look goes through each object of the process, modules and routes and templates included. Measured
    in an API: 45 ms in which nobody is answered, once a second under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
