"""Targets of coverage-guided fuzzing: `make fuzz`.

A target takes any bytes, and gives what they stand for to code that reads what Twilio sends. That code may
refuse them with an exception that the target names. Any other exception is a fault. The ordinary tests give
each target its seeds, without a fuzzer.
"""
