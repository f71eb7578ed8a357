"""Reading a metrics page, and the document that explains it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from . import plain_http

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"

#: Labels that a type of metric brings with it.
_OWN_LABELS = {"le"}


class Kind(NamedTuple):
    """What a metric is."""

    type: str
    labels: frozenset[str]


def documented() -> Mapping[str, Kind]:
    """Every metric of the table, by name."""
    rows = re.findall(r"^\| `(recado_\w+)` \| (\w+) \|(.*?)\| ", DOCUMENT.read_text(), re.MULTILINE)
    return {name: Kind(kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def shown(url: str) -> Mapping[str, Kind]:
    """Every metric of a page that has a sample, by name."""
    kinds: dict[str, Kind] = {}
    for family in text_string_to_metric_families(plain_http.get(url + "/metrics", timeout=30.0).text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        if family.samples:
            kinds[name] = Kind(family.type, frozenset(labels - _OWN_LABELS))
    return kinds
