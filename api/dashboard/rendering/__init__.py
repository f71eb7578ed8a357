"""Turns values into HTML: templates, masking, and the words for numbers, times and states."""
