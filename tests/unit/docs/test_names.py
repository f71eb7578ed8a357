"""One word, one meaning: no two classes of the product share a name, but where they are the same thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

from .documents import ROOT
from .test_prose import PRODUCT

#: Names that several modules define, and why that is one meaning.
SAME: Mapping[str, str] = {
    "AckBatch": "of each engine",
    "ConsumerSession": "of each engine",
    "Conversation": "what a responder is given, and its form in the API for other programs",
    "Database": "of each engine",
    "EventLoop": "runs what becomes ready, in a worker and in the supervisor",
    "Heartbeat": "says that a process lives, to the engine and to the supervisor",
    "Job": "a message that is worked on, in the words of BullMQ and of the supervisor",
    "Line": "a line of a contact card; and of a history, the old name of a message, which goes on working",
    "Message": "of a conversation, and its form in the API for other programs",
    "Metrics": "what is counted, by actors and by the middleware of that public name",
    "ModelCall": "how a reply came about, and its form in the API for other programs",
    "OperatorSide": "of an engine, and of each",
    "Problem": "what is wrong: told to people, and to programs in the words of RFC 9457",
    "Queues": "of an engine, and their form in the API for other programs",
    "Refused": "a request that is not let in: a webhook, and one of another program",
    "Reply": "of a conversation, and its form in the API for other programs",
    "Shutdown": "the end of a process: of a worker, and of all children of the supervisor",
}


def classes() -> dict[str, set[str]]:
    """The modules that define each class, a leading underscore left out."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    found[node.name.lstrip("_")].add(str(path.relative_to(ROOT)))
    return found


def test_no_class_has_the_name_of_another_thing() -> None:
    twice = {name: sorted(modules) for name, modules in classes().items() if len(modules) > 1}

    assert {name: modules for name, modules in twice.items() if name not in SAME} == {}
    assert set(SAME) - set(twice) == set(), "these are defined once by now"


@pytest.mark.parametrize("package", PRODUCT)
def test_a_folder_and_a_module_beside_it_differ_in_name(package: str) -> None:
    paths = [path for path in (ROOT / package).rglob("*") if path.suffix == ".py" or path.is_dir()]

    modules = {path.with_suffix("") for path in paths if path.suffix == ".py"}
    assert modules & {Path(path) for path in paths if path.is_dir()} == set()
