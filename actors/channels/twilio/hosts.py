"""Twilio's places on the network."""

from __future__ import annotations

import re

#: Where the REST API lives; `TWILIO_API_BASE_URL` may name another place.
TWILIO_API = "https://api.twilio.com"

#: Hosts of Twilio's own, such as `api.dublin.ie1.twilio.com`. Other products have their names in the place
#: of `api`.
_TWILIOS_OWN = re.compile(r"https://api\.((?:[a-z0-9-]+\.)*twilio\.com)")

#: Where the API leads to for the content of an attachment: what the address begins with. The first has the
#: attachments of accounts that enforce HTTP authentication, the second all others; that host is all of S3's
#: (https://help.twilio.com/articles/223183748).
MEDIA_CONTENT = ("https://mms.twiliocdn.com/", "https://s3-external-1.amazonaws.com/media.twiliocdn.com/")


def host_of(product: str, api_base_url: str) -> str:
    """Return where one of Twilio's products has its API.

    Parameters:
      product: such as `messaging`.
      api_base_url: where the REST API is. A place that is not Twilio's own stands for all of them.
    """
    found = _TWILIOS_OWN.fullmatch(api_base_url)
    return api_base_url if found is None else f"https://{product}.{found[1]}"
