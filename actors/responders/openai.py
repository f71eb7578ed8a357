"""Any endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import openai
import structlog
from openai.types.chat import ChatCompletion

from ..answer import Answer, Usage
from ..conversation import Conversation
from ..model_call import ROLES, prompt_of
from ..retry_after import retry_after_ms
from .http_status import meaning_of_status
from .pictures import NOT_SHOWN, Pictures, as_text
from .responder import ResponderUnavailable
from .window import window

logger = structlog.get_logger(__name__)

#: Shown when no system prompt is set.
DEFAULT_SYSTEM_PROMPT = (
    "You are a helpful assistant who answers text messages. Be brief and plain: no Markdown, "
    "at most a few sentences. Answer in the language the customer writes in."
)

#: Added to the system prompt where the conversation has a language.
LANGUAGE_LINE = "Answer in {language} (a BCP 47 language tag), unless the customer clearly writes in another."

#: What the limit of an answer is called, the newer name first: models that think before they answer take only
#: that one, and older endpoints only the other (https://platform.openai.com/docs/api-reference/chat/create).
LIMIT_NAMES = ("max_completion_tokens", "max_tokens")

#: Statuses with which an endpoint refuses pictures, among others: their type, their size, any at all.
REFUSED_PICTURES = (400, 413, 415, 422)


class OpenAIResponder:
    """Asks a model, once: retries are the queue's affair, so that a restart does not lose them.

    Parameters:
      base_url: the endpoint, up to and with its version (`.../v1`).
      api_key: its key.
      model: the model's name there.
      system_prompt: what comes before the conversation.
      connect_timeout_s, timeout_s: longest waits for the connection and for the answer, in seconds.
      max_tokens: longest answer.
      extra: more parameters of each request, such as a temperature.
      history_messages, history_characters: how much of the past to send.
      vision_max_bytes: pictures of one request, together; 0 for a model that looks at none.
      keeps_prompts: an answer tells what the model was asked.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        system_prompt: str = DEFAULT_SYSTEM_PROMPT,
        connect_timeout_s: float = 5.0,
        timeout_s: float = 60.0,
        max_tokens: int = 500,
        extra: Mapping[str, Any] | None = None,
        history_messages: int = 20,
        history_characters: int = 12_000,
        vision_max_bytes: int = 0,
        keeps_prompts: bool = False,
    ) -> None:
        self._client = _client(base_url, api_key, connect_timeout_s, timeout_s)
        self._model = model
        self._system_prompt = system_prompt
        self._max_tokens = max_tokens
        self._extra = dict(extra or {})
        self._limit_names = list(LIMIT_NAMES)
        self._history_messages = history_messages
        self._history_characters = history_characters
        self._pictures = _pictures(vision_max_bytes)
        self._keeps_prompts = keeps_prompts

    def respond(self, conversation: Conversation) -> Answer:
        try:
            completion, prompt = self._asked(conversation)
        except openai.APIStatusError as error:
            raise meaning_of(error) from None  # its text is in the note
        except openai.APIError as error:
            raise meaning_of(error) from error
        return replace(_read(completion), prompt=prompt)

    def _asked(self, conversation: Conversation) -> tuple[ChatCompletion, str]:
        """Ask for a completion; return it, and what was asked if that is kept.

        A model that refuses the pictures is asked without them.
        """
        with self._pictures.shown(conversation.unanswered) as contents:
            prompt = self._prompt(conversation, contents)
            try:
                return self._complete(prompt), self._kept(prompt)
            except openai.APIStatusError as error:
                if error.status_code not in REFUSED_PICTURES or all(
                    isinstance(each, str) for each in contents
                ):
                    raise
                logger.warning(
                    "the model refused pictures, and is asked without them", status=error.status_code
                )
        note = NOT_SHOWN.format(why="the model cannot look at it")
        prompt = self._prompt(
            conversation,
            [
                message.text if isinstance(content, str) else f"{message.text}\n{note}"
                for message, content in zip(conversation.unanswered, contents, strict=True)
            ],
        )
        return self._complete(prompt), self._kept(prompt)

    def _kept(self, prompt: Any) -> str:
        if not self._keeps_prompts:
            return ""
        return prompt_of([(each["role"], as_text(each["content"])) for each in prompt])

    def _complete(self, messages: Any) -> ChatCompletion:
        """Ask for a completion. An endpoint that refuses the limit's newer name is asked by the older one."""
        name = self._limit_names[0]
        try:
            completion: ChatCompletion = self._client.chat.completions.create(
                model=self._model, messages=messages, extra_body={name: self._max_tokens, **self._extra}
            )
        except openai.BadRequestError as error:
            if name not in f"{error.param} {error.message}" or len(self._limit_names) == 1:
                raise
            self._limit_names.remove(name)  # remembered: this endpoint, this model
            return self._complete(messages)
        return completion

    def _prompt(self, conversation: Conversation, contents: Sequence[Any]) -> Any:
        shown = window(
            conversation.history,
            max_messages=self._history_messages,
            max_characters=self._history_characters,
        )
        system_prompt = self._system_prompt
        if conversation.language is not None:
            system_prompt += "\n" + LANGUAGE_LINE.format(language=conversation.language)
        return [
            {"role": "system", "content": system_prompt},
            *(
                {"role": ROLES[each.author], "content": content}
                for each, content in [
                    *((each, each.text) for each in shown),
                    *zip(conversation.unanswered, contents, strict=True),
                ]
            ),
        ]


@cache
def _client(base_url: str, api_key: str, connect_timeout_s: float, timeout_s: float) -> openai.OpenAI:
    """Make the client of an endpoint, once for all responders that ask it: each takes 28 ms of computing."""
    return openai.OpenAI(
        base_url=base_url,
        api_key=api_key,
        max_retries=0,
        timeout=openai.Timeout(timeout_s, connect=connect_timeout_s),
    )


@cache
def _pictures(max_bytes: int) -> Pictures:
    """Make what bounds the pictures in flight, once for all responders of this process."""
    return Pictures(max_bytes)


def meaning_of(error: openai.APIError) -> Exception:
    """Whether asking again can help, and when."""
    if isinstance(error, openai.APIStatusError):
        return meaning_of_status(
            error.status_code,
            kind=error.code or error.type,
            said=error.message,
            delay_ms=retry_after_ms(error.response.headers.get("retry-after")),
        )
    # Timeouts, broken connections, answers that are none.
    is_too_slow = isinstance(error, openai.APITimeoutError)
    return ResponderUnavailable(f"The model cannot be reached: {error}", overloaded=is_too_slow)


def _read(completion: ChatCompletion) -> Answer:
    text = (completion.choices[0].message.content or "").strip() if completion.choices else ""
    if not text:
        raise ResponderUnavailable("The model gave an empty answer")
    usage = completion.usage
    return Answer(
        text,
        Usage(
            completion.model,
            input_tokens=usage.prompt_tokens if usage else None,
            output_tokens=usage.completion_tokens if usage else None,
        ),
    )
