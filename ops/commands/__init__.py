"""The commands that look at things and change them, a module for each kind of thing."""
