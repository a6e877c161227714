"""What the options of each role are by default is said twice, and has to be the same."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

ROLES = sorted(Path(__file__).parents[3].glob("roles/*"))


def load(role: Path, name: str) -> t.Any:
    path = role / name
    return yaml.safe_load(path.read_text()) if path.exists() else {}


@pytest.mark.parametrize("role", [pytest.param(role, id=role.name) for role in ROLES])
def test_the_options_have_the_defaults_of_the_role(role: Path) -> None:
    documented = {
        name: option["default"]
        for entry in load(role, "meta/argument_specs.yml")["argument_specs"].values()
        for name, option in entry["options"].items()
    }
    assert documented == load(role, "defaults/main.yml")


@pytest.mark.parametrize("role", [pytest.param(role, id=role.name) for role in ROLES])
def test_every_option_is_described_and_typed(role: Path) -> None:
    for entry in load(role, "meta/argument_specs.yml")["argument_specs"].values():
        assert entry["short_description"]
        for name, option in entry["options"].items():
            assert name.startswith(f"{role.name}_")
            assert option["description"]
            assert option["type"]
