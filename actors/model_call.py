"""What is kept of asking a model, beside its answer: what it was asked, what it did, what that took."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from .answer import ToolCall
from .conversation import Author

#: As large as what is kept of a prompt may be, in bytes of UTF-8: what is in the middle goes first. The
#: beginning has the instructions, and the end has what the contact wrote last.
MAX_PROMPT_BYTES = 32 * 1024

#: What a model calls those who said something.
ROLES: Mapping[Author, str] = {"contact": "user", "us": "assistant"}

#: Stands where a prompt was cut.
CUT = "\n\n[… {count:,} bytes are left out here …]\n\n"


@dataclass(frozen=True, slots=True)
class ModelCall:
    """How an answer came about.

    Attributes:
      took_ms: from asking to the answer, in milliseconds; None where that is not known.
      cost: what the tokens cost, in millionths of the currency; None where the model has no price.
      prompt: what the model was asked; empty where that is not kept.
      tool_calls: the tools that an agent called, in order.
    """

    took_ms: int | None = None
    cost: int | None = None
    prompt: str = ""
    tool_calls: Sequence[ToolCall] = ()

    @property
    def kept_prompt(self) -> str:
        """The prompt, cut to what is kept of it."""
        encoded = self.prompt.encode(errors="replace")
        if len(encoded) <= MAX_PROMPT_BYTES:
            return encoded.decode()
        half = (MAX_PROMPT_BYTES - len(CUT.encode()) - 10) // 2
        mark = CUT.format(count=len(encoded) - 2 * half)
        return encoded[:half].decode(errors="ignore") + mark + encoded[-half:].decode(errors="ignore")

    @property
    def kept_tool_calls(self) -> str:
        """The tool calls as JSON; empty where there were none."""
        calls = [asdict(call) for call in self.tool_calls]
        written = json.dumps(calls, ensure_ascii=False) if calls else ""
        return written.encode(errors="replace").decode()  # half a surrogate pair is in no encoding


#: Of a reply that no model wrote.
NO_CALL = ModelCall()


def read_tool_calls(kept: str | None) -> tuple[ToolCall, ...]:
    """Read what `ModelCall.kept_tool_calls` made."""
    return tuple(ToolCall(**call) for call in json.loads(kept)) if kept else ()


def prompt_of(lines: Sequence[tuple[str, str]]) -> str:
    """Write down what a model was asked.

    Parameters:
      lines: the role and the text of each message, in order.
    """
    return "\n\n".join(f"{role}:\n{text}" for role, text in lines)
