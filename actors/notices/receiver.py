"""A receiver of notices: one of the URLs in NOTIFY_URLS, which apprise knows how to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from ops.foundation.settings import Settings, SettingsError

if TYPE_CHECKING:
    from apprise import NotifyBase

logger = structlog.get_logger(__name__)


class Receiver:
    """Tells people at one URL. Its URL is a secret: neither a log line nor an error has more than its scheme.

    Parameters:
      number: its place in NOTIFY_URLS, from 1.
      url: as apprise reads it.
      plugin: apprise's own for it.

    Attributes:
      name: its stored name: its place, so that a URL that was mended is told what waited for it.
      label: what people may read in its place.
    """

    def __init__(self, number: int, url: str, plugin: NotifyBase) -> None:
        self.name = str(number)
        self.label = label_of(number, url)
        self._plugin = plugin

    def tell(self, title: str, text: str) -> bool:
        """Send a notice; return whether the receiver took it. It may take some seconds. Thread-safe.

        Parameters:
          title: in one line.
          text: in several.
        """
        try:
            return bool(self._plugin.notify(title=title, body=text))
        except Exception as error:  # noqa: BLE001  of any of a hundred plugins; its text may have the URL in it
            logger.warning("a receiver of notices raised", receiver=self.label, error=type(error).__name__)
            return False


def label_of(number: int, url: str) -> str:
    """Return what people may read in place of a URL."""
    return f"{url.partition('://')[0]}://••• (number {number})"


def receivers_of(settings: Settings) -> Mapping[str, Receiver]:
    """Make the receivers that NOTIFY_URLS names, by their names. Without it apprise is not imported.

    Raises:
      SettingsError: listing each URL that apprise cannot read, masked.
    """
    urls = settings.notify_url_list
    if not urls:
        return {}
    plugins = [(number, url, _plugin(url)) for number, url in enumerate(urls, 1)]
    if wrong := [label_of(number, url) for number, url, plugin in plugins if plugin is None]:
        raise SettingsError(_explained(wrong))
    receivers = [Receiver(number, url, plugin) for number, url, plugin in plugins]
    return {receiver.name: receiver for receiver in receivers}


def _plugin(url: str) -> Any:
    import apprise  # noqa: PLC0415  an extra; slow to import, and 45 MB

    # In memory: a plugin may otherwise write what it was told of an account into the home directory.
    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, async_mode=False)
    plugin = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if plugin is not None and "overflow=" not in url:
        # A notice that is too long would be refused again and again.
        plugin.overflow_mode = apprise.OverflowMode.TRUNCATE
    return plugin


def _explained(wrong: Sequence[str]) -> str:
    lines = "\n".join(f"  - NOTIFY_URLS: apprise cannot read {label}" for label in wrong)
    return (
        f"Recado cannot start, its settings need attention:\n{lines}\n"
        "docs/notices.md has examples; https://appriseit.com has the form of each service's URL."
    )
