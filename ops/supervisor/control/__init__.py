"""The decisions of the supervisor about its children.

Nothing here touches the operating system: time, random numbers and process control are passed in, so that
tests run it with a clock of their own.
"""
