"""The settings' address in version 0.1. They are public as `recado.Settings`."""

from __future__ import annotations

from .foundation.deprecation import moved

__getattr__ = moved(
    __name__,
    {
        "Settings": "recado:Settings",
        "SettingsError": "recado:SettingsError",
        "load_settings": "recado:load_settings",
    },
)
