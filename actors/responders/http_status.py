"""What the HTTP status of a model's endpoint means: whether asking again can help."""

from __future__ import annotations

from .responder import ResponderRefused, ResponderUnavailable

#: Statuses of a request that will never be right, however often it is made
#: (https://platform.openai.com/docs/guides/error-codes). 403 is a key or a region that is not allowed.
REFUSED = (400, 401, 403, 404, 405, 413, 415, 422)

#: Statuses of an endpoint that has too much to do: too many requests, unavailable, overloaded (529, of
#: Anthropic: https://docs.anthropic.com/en/api/errors).
OVERLOADED = (429, 503, 529)


def meaning_of_status(
    status: int, *, kind: str | None = None, said: str, delay_ms: int | None = None
) -> Exception:
    """Make the error that a responder raises for a status which is none of success.

    Parameters:
      status: of the response.
      kind: the endpoint's own name of the error, if it has one.
      said: what the endpoint said in its own words, which may quote the prompt. It becomes a note, which the
        dead letter has and the log has not.
      delay_ms: when the endpoint wants to be asked again, in milliseconds, if it said so.
    """
    message = f"The model answered {status}" + (f" ({kind})" if kind else "")
    meaning: Exception
    if status in REFUSED:
        meaning = ResponderRefused(message)
    else:
        meaning = ResponderUnavailable(message, delay_ms, overloaded=status in OVERLOADED)
    meaning.add_note(said)
    return meaning
