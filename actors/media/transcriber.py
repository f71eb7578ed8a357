"""Voice notes written down by any endpoint that speaks OpenAI's transcriptions."""

from __future__ import annotations

import time

import openai
import structlog

from ..conversation import FetchedMedia, MediaError
from ..metrics import metrics
from ..retry_after import retry_after_ms
from ..spans import calling

logger = structlog.get_logger(__name__)

#: Answers after which it is worth trying again, and the pauses before that, in seconds.
PASSING = frozenset({429, 500, 502, 503, 504, 529})
PAUSES_S = (1.0, 2.0)

#: What a file is called there, by its type: endpoints tell the format by the name
#: (https://platform.openai.com/docs/guides/speech-to-text).
_ENDINGS = {
    "audio/aac": "aac",
    "audio/amr": "amr",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/webm": "webm",
    "audio/x-m4a": "m4a",
    "audio/x-wav": "wav",
}


class OpenAITranscriber:
    """Has voice notes written down.

    Parameters:
      base_url: the endpoint, up to and with its version (`.../v1`).
      api_key: its key.
      model: the model's name there.
      connect_timeout_s, timeout_s: longest waits for the connection and for the answer, in seconds.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        connect_timeout_s: float = 5.0,
        timeout_s: float = 60.0,
    ) -> None:
        self._client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0)
        self._model = model
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s

    def transcribe(self, media: FetchedMedia, *, timeout_s: float) -> str:
        """Return what is said, as of `Transcriber`. What may pass is tried again within that time."""
        until = time.monotonic() + timeout_s
        for pause_s in (*PAUSES_S, None):
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            try:
                with calling(f"transcribe {self._model}", {"gen_ai.request.model": self._model}):
                    text = self._asked(media, timeout_s=min(left_s, self._timeout_s))
            except openai.APIError as error:
                wait_s = _pause_s(error, pause_s)
                if wait_s is None or time.monotonic() + wait_s > until:
                    metrics().transcriptions.labels("failed").inc()
                    logger.warning("voice note not written down", why=_why(error))
                    raise MediaError(_why(error)) from None  # the endpoint's words may quote what was sent
                time.sleep(wait_s)
            else:
                metrics().transcriptions.labels("done").inc()
                return text
        raise MediaError("there was no time left for it")

    def _asked(self, media: FetchedMedia, *, timeout_s: float) -> str:
        ending = _ENDINGS.get(media.content_type, "ogg")
        with media.path.open("rb") as file:  # read as it is sent, never as a whole
            transcription = self._client.audio.transcriptions.create(
                model=self._model,
                file=(f"voice.{ending}", file, media.content_type),
                timeout=openai.Timeout(timeout_s, connect=min(self._connect_timeout_s, timeout_s)),
            )
        return transcription if isinstance(transcription, str) else transcription.text


def _pause_s(error: openai.APIError, pause_s: float | None) -> float | None:
    """Return how long to wait before another try, in seconds; None where there is to be none."""
    if pause_s is None:
        return None
    if not isinstance(error, openai.APIStatusError):  # a timeout, a broken connection
        return pause_s
    if error.status_code not in PASSING:
        return None
    asked_ms = retry_after_ms(error.response.headers.get("retry-after"))
    return max(pause_s, (asked_ms or 0) / 1000)


def _why(error: openai.APIError) -> str:
    if isinstance(error, openai.APIStatusError):
        return f"the model answered {error.status_code}"
    return (
        "the model took too long"
        if isinstance(error, openai.APITimeoutError)
        else "the model cannot be reached"
    )
