"""Says which role each address needs that does more than show: the one place where that is decided."""

from __future__ import annotations

from collections.abc import Mapping

from api.roles import Role

#: What every form is sent to, and what role that takes. Templates ask here whether a button is shown, and an
#: address to which a form is sent and that is not here stops the API when it starts.
POSTS: Mapping[str, Role] = {
    "/conversations/search": "reader",
    "/conversations/{message_id}/note": "agent",
    "/conversations/{message_id}/note/delete": "agent",
    "/conversations/{message_id}/reveal": "agent",
    "/conversations/{message_id}/take": "agent",
    "/conversations/{message_id}/say": "agent",
    "/conversations/{message_id}/hand-back": "agent",
    "/attention/{entry_id}/dismiss": "agent",
    "/replies/{reply_id}/again": "agent",
    "/replies/{reply_id}/sent": "agent",
    "/write": "agent",
    "/messages/{message_id}/reveal": "operator",
    "/queues/{queue}/pause": "operator",
    "/queues/{queue}/resume": "operator",
    "/dead-letters/confirm": "operator",
    "/dead-letters/begin": "operator",
    "/dead-letters/continue": "operator",
    "/dead-letters/stop": "operator",
    "/try-it/write": "operator",
    "/try-it/kill": "operator",
    "/conversations/{message_id}/erase": "admin",
    "/conversations/{message_id}/export": "admin",
}

#: What is only shown, and not to everybody. All else that is shown is for readers too.
GETS: Mapping[str, Role] = {
    "/write": POSTS["/write"],
    "/conversations/{message_id}/erase": POSTS["/conversations/{message_id}/erase"],
    "/try-it": POSTS["/try-it/write"],
    "/media/{message_id}/{number}": "agent",  # a picture or a contact card shows what is masked for readers
    "/replies/{reply_id}/model-call": "operator",  # prompts and tools, as in the API for other programs
}
