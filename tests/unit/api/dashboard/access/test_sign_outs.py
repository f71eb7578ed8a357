"""Sessions that were ended before their time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from api.audit_log import AuditLog
from api.dashboard.access.authentication import SESSION_COOKIE, Authentication, SessionsUnreadable
from api.dashboard.access.sessions import SESSION_S, Sessions
from api.dashboard.access.sign_outs import SignOuts
from api.users import UserFile
from brokers.errors import EngineError

from ..requests import a_request, settings


def test_a_session_that_was_ended_is_over_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with closing(AuditLog(path)) as audit, closing(SignOuts(path)) as one, closing(SignOuts(path)) as other:
        audit.record("sign in", "operator", who="operator", address="127.0.0.1")
        here, there = Sessions(["a secret"], sign_outs=one), Sessions(["a secret"], sign_outs=other)
        cookie, another = here.issue("operator"), here.issue("operator")
        assert there.read(cookie) is not None

        here.end(cookie)
        here.end(cookie)
        here.end("forged")

        assert (here.read(cookie), there.read(cookie)) == (None, None)
        assert there.read(another) is not None


def test_what_ended_by_itself_is_forgotten(tmp_path: Path) -> None:
    now = 1_000.0
    with closing(SignOuts(tmp_path / "audit.db", clock=lambda: now)) as sign_outs:
        sessions = Sessions(["a secret"], sign_outs=sign_outs, clock=lambda: now)
        sign_outs.add("an old one", int(now) + 10)
        assert "an old one" in sign_outs
        now += SESSION_S
        sessions.end(sessions.issue("viewer"))

        assert "an old one" not in sign_outs


def test_a_damaged_file_closes_the_dashboard_to_the_sessions_that_were_ended_alone(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with closing(SignOuts(path)) as sign_outs:
        sessions = Sessions(["a secret"], sign_outs=sign_outs)
        ended, open_one = sessions.issue("operator"), sessions.issue("operator")
        sessions.end(ended)
        assert sessions.read(ended) is None
        with closing(apsw.Connection(str(path))) as other:
            other.pragma("wal_checkpoint", "truncate")
        path.write_bytes(b"no database " * 1_000)

        assert sessions.read(ended) is None
        assert sessions.read(open_one) is not None
        with pytest.raises(EngineError):
            sessions.end(open_one)


def test_no_session_is_accepted_while_the_ended_ones_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_bytes(b"no database " * 1_000)
    with closing(SignOuts(tmp_path / "audit.db")) as sign_outs:
        of = settings(dashboard_password="a password")
        sessions = Sessions(of.dashboard_secrets, sign_outs=sign_outs)
        with pytest.raises(SessionsUnreadable, match=r"audit\.db") as refusal:
            Authentication(of, sessions, UserFile(tmp_path / "none")).user(
                a_request(cookies={SESSION_COOKIE: sessions.issue("operator")})
            )
        assert refusal.value.status == 503
