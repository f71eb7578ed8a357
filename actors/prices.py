"""What tokens and segments cost, by the prices in the settings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ops.foundation.settings import ModelPrice

from .answer import Usage

#: Costs are whole numbers of this share of the currency, so that sums of them are exact.
MICRO = 1_000_000

#: What a provider adds to a model's name: a date, a version, `latest`.
_VERSION = re.compile(r"[-@:](\d[\d.-]*|latest)")


class Prices:
    """Knows what is paid for. All costs are in millionths of the currency.

    Parameters:
      models: the price of a million tokens, by the model.
      segments: what the channel takes for a segment, by the prefix of the address: `whatsapp`, or `sms` for
        an address without one.
    """

    def __init__(self, models: Mapping[str, ModelPrice], segments: Mapping[str, float]) -> None:
        self._models = models
        self._segments = segments

    def of_tokens(self, usage: Usage) -> int | None:
        """Return what an answer cost; None where the model has no price or does not tell its tokens."""
        price = self._price(usage.model)
        if price is None or usage.input_tokens is None or usage.output_tokens is None:
            return None
        return round(usage.input_tokens * price.input + usage.output_tokens * price.output)

    def of_segments(self, address: str, count: int) -> int:
        """Return what the channel takes for sending from an address of ours; 0 where that has no price."""
        prefix = address.rpartition(":")[0] or "sms"
        return round(count * self._segments.get(prefix, 0.0) * MICRO)

    def _price(self, model: str) -> ModelPrice | None:
        """Return a model's price. One that is listed without its version is meant in all its versions."""
        if model in self._models:
            return self._models[model]
        names = (name for name in self._models if model.startswith(name))
        found = [name for name in names if _VERSION.fullmatch(model.removeprefix(name))]
        return self._models[max(found, key=len)] if found else None
