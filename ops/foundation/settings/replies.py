"""What is said to customers, by rule, and how replies are sent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from .section import Milliseconds, Section


class ReplySettings(Section):
    """Replies: their texts, keywords and limits."""

    reply_sender: Literal["auto", "twilio", "console"] = Field(
        "auto", description="auto: twilio with credentials, console (nothing is sent) without"
    )
    console_outbox_path: Path = Field(
        Path("outbox.jsonl"), description="where the console sender writes replies, one JSON object a line"
    )
    reply_gather_ms: Milliseconds = Field(
        250, description="wait for the rest of a burst before answering it, in milliseconds"
    )
    reply_max_parts: Annotated[int, Field(ge=1, le=10)] = Field(
        5, description="messages that one answer may be split into; what is longer is cut off"
    )
    reply_fallback_text: str | None = Field(
        None, description="what the customer is told when no answer could be produced; empty: nothing"
    )
    opt_out_keywords: str = Field(
        "STOP,PARAR,SAIR,CANCELAR",
        description="messages by which a contact opts out, separated by commas; on SMS beside Twilio's own",
    )
    opt_in_keywords: str = Field("START,VOLTAR", description="messages by which a contact undoes that")
    help_keywords: str = Field("HELP,AJUDA", description="messages that ask for help with messages")
    opt_out_text: str | None = Field(
        "Você não receberá mais mensagens. Para voltar, responda VOLTAR.",
        description="what a contact is told who opts out, where Twilio does not answer; `null`: nothing",
    )
    opt_in_text: str | None = Field(
        "Tudo certo, você voltou a receber mensagens.",
        description="what a contact is told who opts in again; `null`: nothing",
    )
    help_text: str | None = Field(
        "Para não receber mais mensagens, responda PARAR.",
        description="what a contact is told who asks for help; `null`: nothing",
    )
    hand_over_keywords: str | None = Field(
        "ATENDENTE,HUMANO,HUMAN",
        description="messages by which a contact asks for a person to answer; `null`: none",
    )
    hand_over_text: str | None = Field(
        "Vou chamar uma pessoa para atender você. Aguarde um momento, por favor.",
        description="what a contact is told who asks for a person; `null`: nothing",
    )
    hand_back_after_hours: PositiveFloat | None = Field(
        24.0,
        description="the assistant answers again when no person took part for so many hours; `null`: never",
    )
    default_region: str | None = Field(
        None,
        pattern="^[A-Z]{2}$",
        description="the region of numbers that are searched for without their country's code, such as BR; "
        "that of your own numbers when not set",
    )
    voice_text: str = Field(
        "Olá! Este número atende só por mensagens. Por favor, escreva para nós. Obrigado!",
        description="what a caller hears, at /webhooks/twilio/voice",
    )
    voice_language: str = Field("pt-BR", description="the language that it is read in, as of TwiML's Say")
    voice_reply_text: str | None = Field(
        None, description="what a caller is sent as a text message; nothing when not set"
    )
    blocked_addresses: str = Field(
        "",
        description="contacts whose messages are recorded and never answered, numbers separated by commas",
    )
    contact_replies_per_hour: PositiveInt | None = Field(
        60, description="replies that one contact gets in an hour; then a person answers; `null`: no limit"
    )
    contact_tokens_per_day: PositiveInt | None = Field(
        300_000, description="tokens that one contact's answers may cost in a day, likewise; `null`: no limit"
    )
    contact_same_text_limit: NonNegativeInt = Field(
        5, description="the same text more often than this in a row: a person answers; 0: no limit"
    )
    reply_unknown_policy: Literal["at_most_once", "resend"] = Field(
        "at_most_once", description="for a reply of which Twilio does not know whether it was sent"
    )
    reply_reconcile_delays_s: str = Field(
        "5,15,60",
        description="seconds before each look whether an unknown reply was sent",
        pattern=r"^\d+(,\d+)*$",
    )

    delivery_check_after_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        900.0,
        description="Twilio is asked how a delivery goes on when no callback told of its end for so many "
        "seconds, then four times more, up to a day; 0: never",
    )

    @property
    def reconcile_delays_ms(self) -> list[int]:
        return [int(seconds) * 1000 for seconds in self.reply_reconcile_delays_s.split(",")]
