"""Is this installation able to do its work? Each check says what is wrong, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import httpx
from dramatiq.errors import BrokerError

from .foundation.credentials import without_credentials
from .foundation.settings import Settings, SettingsError, load_settings
from .webhook import MESSAGES_PATH, message_parameters, signed

#: How long a check may take, in seconds.
PATIENCE_S = 5.0


class Finding(NamedTuple):
    """What a check found."""

    ok: bool
    what: str
    remedy: str = ""


#: The title and the text of the notice that `recado doctor --notify` sends.
TRIAL_NOTICE = ("Recado can tell you", "This notice was sent by `recado doctor --notify`. Nothing is wrong.")

#: What a check of the queue proves.
_QUEUE_PROOF = {
    "sqlite": "takes durable writes",
    "redis": "takes durable writes",
    "sqs": "answers, and the credentials are good",
    "bullmq": "takes durable writes",
}
_QUEUE_REMEDY = {
    "sqlite": "Check QUEUE_SQLITE_DB_PATH, its permissions and the disk's space.",
    "redis": "Check REDIS_URL, and that the server runs, has memory to spare and is no replica.",
    "sqs": "Check SQS_REGION, SQS_ENDPOINT_URL, the credentials and what they may do: docs/sqs.md.",
    "bullmq": "Check REDIS_URL, and that the server runs, has memory to spare and is no replica.",
}
_DEAD_LETTERS = {
    "sqlite": "See `recado dead list`.",
    "redis": "See `recado dead list`.",
    "sqs": "They are in the queues whose names end with _dlq: docs/sqs.md.",
    "bullmq": "See `recado dead list`, or BullMQ's tools: they are its failed jobs.",
}
_CONVERSATIONS_REMEDY = {"sqlite": "Check CONVERSATIONS_SQLITE_DB_PATH.", "redis": "Check REDIS_URL."}


def examine(*, notify: bool = False) -> list[Finding]:
    """Run all checks. Without valid settings there is nothing else to check.

    What is found names the URLs that were tried, without user and password.

    Parameters:
      notify: send a notice to each URL of NOTIFY_URLS, too.
    """
    from actors.profiles import load_profiles
    from actors.services import boot

    try:
        settings = load_settings(serving=True)
    except SettingsError as error:
        return [Finding(False, "settings", str(error))]
    try:
        load_profiles(settings)
    except SettingsError as error:
        return [Finding(True, "settings"), Finding(False, "profiles", str(error))]
    try:
        boot()  # which reads what settings name: the URLs of notices, a responder of one's own
    except SettingsError as error:
        return [Finding(False, "settings", str(error))]
    checks: list[Callable[[Settings], Iterator[Finding]]] = [
        _queue,
        _conversations,
        _api,
        _twilio,
        _model,
        _profiles,
    ]
    if notify:
        checks.append(_receivers)
    found = [Finding(True, "settings"), *(finding for check in checks for finding in check(settings))]
    return [Finding(ok, without_credentials(what), without_credentials(remedy)) for ok, what, remedy in found]


def _queue(settings: Settings) -> Iterator[Finding]:
    from actors.services import boot

    proof = _QUEUE_PROOF[settings.queue_backend]
    where = f"{settings.queue_backend} queue at {settings.queue_address} {proof}"
    try:
        boot().broker.backend.check(timeout_s=PATIENCE_S)
    except BrokerError as error:
        yield Finding(False, where, f"{error}. {_QUEUE_REMEDY[settings.queue_backend]}")
        return
    yield Finding(True, where)
    dead = sum(stats.dead for stats in boot().broker.backend.stats())
    if dead:
        yield Finding(
            False, f"{dead} dead letter(s) wait for a decision", _DEAD_LETTERS[settings.queue_backend]
        )


def _conversations(settings: Settings) -> Iterator[Finding]:
    from actors.services import boot

    where = f"conversations in {settings.conversations_on} can be written and read"
    try:
        boot().conversations.check(timeout_s=PATIENCE_S)
    except BrokerError as error:
        yield Finding(False, where, f"{error}. {_CONVERSATIONS_REMEDY[settings.conversations_on]}")
        return
    yield Finding(True, where)


def _api(settings: Settings) -> Iterator[Finding]:
    local = settings.local_url
    yield _ready(local)
    if not settings.twilio_validate_signatures:
        yield Finding(
            False, "signatures are checked", "TWILIO_VALIDATE_SIGNATURES=false is for development only."
        )
        return
    # No MessageSid: a good signature is answered with 400, a bad one with 403, and nothing is queued.
    parameters = message_parameters("doctor", sender="+15005550006", to="+15005550006") | {"MessageSid": ""}
    for base, name in ((local, "API"), (settings.required("public_base_url"), "PUBLIC_BASE_URL")):
        body, headers = signed(
            settings.required("public_base_url") + MESSAGES_PATH,
            parameters,
            auth_token=next(iter(settings.auth_tokens), ""),
        )
        what = f"a signed webhook is accepted at {base} ({name})"
        try:
            response = httpx.post(base + MESSAGES_PATH, content=body, headers=headers, timeout=PATIENCE_S)
        except httpx.HTTPError as error:
            yield Finding(
                False, what, f"{type(error).__name__}: {error}. Is it running, and does its name lead here?"
            )
            continue
        remedy = "Its TWILIO_AUTH_TOKEN or PUBLIC_BASE_URL differ, or a proxy changes path or query."
        yield Finding(
            response.status_code == 400,
            what,
            "" if response.status_code == 400 else f"It answered {response.status_code}. {remedy}",
        )


def _ready(local: str) -> Finding:
    what, remedy = "API is up and ready", f"Start it with `recado api` ({local})."
    try:
        response = httpx.get(local + "/readyz", timeout=PATIENCE_S)
        told = response.json()
    except (httpx.HTTPError, ValueError) as error:
        return Finding(False, what, f"{type(error).__name__}: {error}. {remedy}")
    if not isinstance(told, dict):
        return Finding(False, what, f"{local}/readyz is not Recado's: its answer is no JSON object. {remedy}")
    if told.get("status") == "ok":
        return Finding(True, what)
    # Degraded: webhooks are taken in, and something else that it needs does not work.
    return Finding(False, what, f"It says {told.get('status')}: {told.get('why')}. See docs/operations.md.")


def _twilio(settings: Settings) -> Iterator[Finding]:
    if not settings.sends_through_twilio:
        yield Finding(True, "sender is the console: replies are written to a file, and NOT sent")
        return
    account = f"{settings.twilio_api_base_url}/2010-04-01/Accounts/{settings.twilio_account_sid}.json"
    credentials = settings.twilio_credentials
    yield _answers(
        account,
        "Twilio accepts the credentials",
        "Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
        auth=credentials,
    )


def _model(settings: Settings, *, remedy: str = "Check AI_BASE_URL and AI_API_KEY.") -> Iterator[Finding]:
    if settings.ai_provider == "echo":
        yield Finding(True, "responder is the echo: no model is asked")
        return
    if settings.ai_provider != "openai":
        yield Finding(True, f"responder {settings.ai_provider} can be made")  # it was, for the first check
        return
    yield _answers(
        f"{settings.ai_base_url}/models",
        f"the model's endpoint {settings.ai_base_url} accepts the key",
        remedy,
        headers={"Authorization": f"Bearer {settings.required('ai_api_key')}"},
    )


def _profiles(settings: Settings) -> Iterator[Finding]:
    """Check the endpoints of the profiles, each key of each of them once."""
    from actors.services import boot

    profiles = list(boot().profiles)
    if profiles:
        yield Finding(True, f"profiles: {', '.join(each.name for each in profiles)}")
    asked = {(settings.ai_provider, settings.ai_base_url, settings.ai_api_key)}
    for profile in profiles:
        own = profile.settings
        if own.ai_provider == "echo" or (own.ai_provider, own.ai_base_url, own.ai_api_key) in asked:
            continue
        asked.add((own.ai_provider, own.ai_base_url, own.ai_api_key))
        for finding in _model(own, remedy="Check the profile's base_url and api_key_env."):
            yield finding._replace(what=f"profile {profile.name}: {finding.what}")


def _receivers(_: Settings) -> Iterator[Finding]:
    """Send a notice to each URL. They are told past the queue: what fails here is the way to the receiver."""
    from actors.services import boot

    receivers = boot().receivers.values()
    if not receivers:
        yield Finding(False, "people are told what needs them", "NOTIFY_URLS is not set: docs/notices.md.")
    for receiver in receivers:
        is_taken = receiver.tell(*TRIAL_NOTICE)
        remedy = "Check this URL's tokens and host: https://appriseit.com has the form of each service's URL."
        yield Finding(is_taken, f"{receiver.label} takes a notice", "" if is_taken else remedy)


def _answers(
    url: str,
    what: str,
    remedy: str,
    *,
    auth: tuple[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Finding:
    try:
        response = httpx.get(url, auth=auth, headers=headers, timeout=PATIENCE_S)
    except httpx.HTTPError as error:
        return Finding(False, what, f"{type(error).__name__}: {error}. {remedy}")
    if response.is_success:
        return Finding(True, what)
    return Finding(False, what, f"It answered {response.status_code}. {remedy}")
