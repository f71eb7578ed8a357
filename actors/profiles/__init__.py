"""Addresses of ours that have an assistant of their own: the file that says so, and what is in it."""

from __future__ import annotations

from .file import ProfilesError, load_profiles
from .opening_hours import OpeningHours
from .profile import Profile, Profiles

__all__ = ["OpeningHours", "Profile", "Profiles", "ProfilesError", "load_profiles"]
