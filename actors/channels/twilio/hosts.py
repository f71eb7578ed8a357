"""Twilio's places on the network."""

from __future__ import annotations

#: Where the REST API lives; `TWILIO_API_BASE_URL` may name another place.
TWILIO_API = "https://api.twilio.com"

#: Where the API leads to for the content of an attachment: what the address begins with. The first has the
#: attachments of accounts that enforce HTTP authentication, the second all others; that host is all of S3's
#: (https://help.twilio.com/articles/223183748).
MEDIA_CONTENT = ("https://mms.twiliocdn.com/", "https://s3-external-1.amazonaws.com/media.twiliocdn.com/")
