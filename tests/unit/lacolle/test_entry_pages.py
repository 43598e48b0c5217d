"""Entries shown to a person: whatever others have written into them is text."""

from __future__ import annotations

import pytest

from lacolle.client.entries import EntryPage
from lacolle.commands.entry_pages import print_page
from lacolle.commands.voice import Voice


@pytest.mark.parametrize("said", ["[/b]", "[link=https://x.example]y[/link]", "dossier [red]", ":smile:"])
def test_what_others_say_is_shown_as_it_is(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A justification that looks like a terminal library's markup neither hides its entry nor changes how it looks."""
    entry = {
        "index": 1,
        "kind": "queried",
        "time": "2026-01-17T19:05:09.123Z",
        "actor": "us-ny.oag",
        "jurisdictions": ["US-NY"],
        "alert_id": None,
        "agreement": None,
        "content": {"filters": {}, "justification": said, "after": -1, "shown": []},
    }
    shown = {"index": 1, "salt": "00" * 32, "commitment": "00" * 32, "entry": entry, "proof": []}
    page = EntryPage.model_validate(
        {"checkpoint": "a note", "size": 2, "entries": [shown], "next": None, "log_index": 2}
    )
    print_page(page, Voice(language="en", as_json=False), believed=False)
    assert "".join(said.split()) in "".join(capsys.readouterr().out.replace("│", "").split())
