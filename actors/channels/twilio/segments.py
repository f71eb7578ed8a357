"""As how many messages Twilio counts a text.

An SMS carries 140 bytes: 160 characters of GSM-7, or 70 of UCS-2 where one character is not in GSM-7. A text
of several segments has a header in each of them, which leaves 153 or 67
(https://www.twilio.com/docs/glossary/what-sms-character-limit).
"""

from __future__ import annotations

from ...reply import Reply

#: The characters of GSM-7 (3GPP TS 23.038, 6.2.1), and those that take two places.
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_7_DOUBLE = frozenset("\f^{}\\[~]|€")

#: Places in a message of one segment, and in each of several.
GSM_7_PLACES = (160, 153)
UCS_2_PLACES = (70, 67)


def segments(reply: Reply) -> int:
    """Count a reply's segments. What is no SMS is one message, and so is one with media (MMS)."""
    if ":" in reply.contact or reply.content.media:
        return 1
    return segments_of(reply.body)


def segments_of(text: str) -> int:
    """Count the segments of an SMS."""
    signs = set(text)
    if signs <= GSM_7 | GSM_7_DOUBLE:
        return _count([1 + (sign in GSM_7_DOUBLE) for sign in text], *GSM_7_PLACES)
    return _count([1 + (ord(sign) > 0xFFFF) for sign in text], *UCS_2_PLACES)


def _count(sizes: list[int], alone: int, one_of_several: int) -> int:
    """Count segments. A sign of two places is never cut in half, and moves to the next segment."""
    if sum(sizes) <= alone:
        return 1
    count, used = 1, 0
    for size in sizes:
        if used + size > one_of_several:
            count, used = count + 1, 0
        used += size
    return count
