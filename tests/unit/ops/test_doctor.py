"""What the doctor finds out about an API."""

from __future__ import annotations

import httpx
import pytest

from ops import doctor


@pytest.mark.parametrize("body", ["[]", "5", "null", '"ok"', "no JSON"])
def test_an_answer_that_is_not_recados_is_no_finding_of_health(
    body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may have the port."""
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, text=body))

    finding = doctor._ready("http://127.0.0.1:8000")

    assert not finding.ok
    assert "recado api" in finding.remedy
