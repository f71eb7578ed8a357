"""The lines of the children's output."""

from __future__ import annotations

import json

#: A longer line is cut, in bytes.
MAX_LINE_BYTES = 64 * 1024


class LineSplitter:
    """Splits bytes that arrive in pieces into lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_cut = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their ends.

        A line is cut after `MAX_LINE_BYTES`, and then says so.
        """
        *whole, rest = (self._rest + data).split(b"\n")
        lines = []
        for line in whole:
            if not self._is_cut:
                lines.append(_cut(line))
            self._is_cut = False
        if len(rest) > MAX_LINE_BYTES and not self._is_cut:
            lines.append(_cut(rest))
            self._is_cut = True
        self._rest = b"" if self._is_cut else rest
        return lines

    def end(self) -> list[bytes]:
        """Return the last line, if it has no end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def _cut(line: bytes) -> bytes:
    return line if len(line) <= MAX_LINE_BYTES else line[:MAX_LINE_BYTES] + b" [cut]"


def labelled(child: str, line: bytes, *, as_json: bool) -> bytes:
    """Return a line with the name of the child that wrote it.

    Parameters:
      child: the child's name.
      line: the line, without its end.
      as_json: make the line a JSON object, and the name its field `child`.
    """
    if not as_json:
        return f"{child:<9} | ".encode() + line + b"\n"
    if line.startswith(b'{"') and line.endswith(b"}"):
        return b'{"child": "' + child.encode() + b'", ' + line[1:] + b"\n"
    return json.dumps({"child": child, "event": line.decode(errors="replace")}).encode() + b"\n"
