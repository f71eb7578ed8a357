"""Exports and erases all that is kept of a person, in every place where it lies."""

from __future__ import annotations

from .person import Person
from .place import Erased, Place
from .places import places
from .report import Report, counted, encoded, erase, export

__all__ = ["Erased", "Person", "Place", "Report", "counted", "encoded", "erase", "export", "places"]
