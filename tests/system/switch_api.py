"""The description of the switch's API, which every answer has to obey."""

from __future__ import annotations

import functools
import json
import pathlib
import typing as t

import jsonschema

DESCRIPTION = pathlib.Path(__file__).parents[2] / "docs" / "switch-api.json"


@functools.cache
def description() -> dict[str, t.Any]:
    """Return docs/switch-api.json."""
    read: dict[str, t.Any] = json.loads(DESCRIPTION.read_text())
    return read


@functools.cache
def validator(method: str, part: str) -> jsonschema.Draft202012Validator:
    """Return what checks a method's "params" or "result", or an "error" of any method."""
    described = description()
    schema = described["error"] if part == "error" else described["methods"][method][part]
    return jsonschema.Draft202012Validator({**schema, "$defs": described["$defs"]})


def validate(method: str, params: dict[str, t.Any], answer: dict[str, t.Any]) -> None:
    """Fail unless this is an answer to the method, and takes only parameters, as the description has them."""
    if "error" in answer:
        validator(method, "error").validate(answer["error"])
        return
    validator(method, "params").validate(params)
    validator(method, "result").validate(answer["result"])
