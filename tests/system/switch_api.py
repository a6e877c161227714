"""The description of the switch's API, which every answer has to obey."""

from __future__ import annotations

import typing as t


def validate(method: str, answer: dict[str, t.Any]) -> None:
    """Fail unless this is an answer to the method as docs/switch-api.json describes it."""
