"""What the role refuses of its options, before it looks at any machine."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).parents[4] / "roles/base_image"
CLOUD = {"path": "/srv/debian.qcow2", "sha256": "0" * 64}


def faults(options: dict[str, t.Any]) -> list[str]:
    """Return what the role says of options."""
    loader = DataLoader()
    variables = {
        name: value
        for file in ("defaults", "vars")
        for name, value in loader.load_from_file(
            str(ROLE / file / "main.yml"), trusted_as_template=True
        ).items()
    }
    said = trust_as_template("{{ __base_image_faults | selectattr('when') | map(attribute='says') }}")
    return list(Templar(loader=loader, variables=variables | options).template(said))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"base_image_cloud_image": CLOUD}, id="cloud-image"),
        pytest.param({"base_image_commands": [["systemctl", "enable", "iperf3"]]}, id="command"),
        pytest.param(
            {
                "base_image_files": [
                    {"path": "/etc/.profile", "content": ""},
                    {"path": "/opt/..a/program", "source": "/srv/program", "mode": "4755"},
                ]
            },
            id="files",
        ),
    ],
)
def test_what_can_be_built_is_not_refused(options: dict[str, t.Any]) -> None:
    assert faults(options) == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(
            {"base_image_cloud_image": CLOUD | {"path": "debian.qcow2"}},
            'base_image_cloud_image.path is "debian.qcow2"',
            id="cloud-image-of-some-directory",
        ),
        pytest.param(
            {"base_image_cloud_image": CLOUD | {"sha256": "0" * 63}},
            "give the 64 hexadecimal digits",
            id="cloud-image-without-a-sum",
        ),
        pytest.param(
            {"base_image_cloud_image": CLOUD, "base_image_commands": [["true"]]},
            "a cloud image is taken as it is",
            id="command-in-a-cloud-image",
        ),
        pytest.param(
            {"base_image_cloud_image": CLOUD, "base_image_box": True},
            "a box is made only of an image that this role builds",
            id="box-of-a-cloud-image",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/a"}]},
            "/a in base_image_files: give each either",
            id="no-content",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/a", "content": "", "source": "/b"}]},
            "/a in base_image_files: give each either",
            id="two-contents",
        ),
        pytest.param(
            {"base_image_files": [{"path": "etc/motd", "content": ""}]},
            "etc/motd in base_image_files: give the absolute path",
            id="relative-path",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/etc/../../motd", "content": ""}]},
            "/etc/../../motd in base_image_files: give the absolute path",
            id="path-out-of-the-tree",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/a", "source": "b"}]},
            "b in base_image_files: give the absolute path of a file on the controller",
            id="relative-source",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/a", "content": "1"}, {"path": "/a", "content": "2"}]},
            "base_image_files names a path twice",
            id="one-path-twice",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/a", "content": "", "mode": 0o644}]},
            "420 in base_image_files is no mode",
            id="mode-that-is-a-number",
        ),
        pytest.param(
            {"base_image_files": [{"path": "/a", "content": "", "mode": "u+x"}]},
            '"u+x" in base_image_files is no mode',
            id="mode-in-letters",
        ),
        pytest.param(
            {"base_image_commands": ["ls -l"]}, 'base_image_commands has "ls -l"', id="command-for-a-shell"
        ),
        pytest.param({"base_image_commands": [[]]}, "base_image_commands has []", id="empty-command"),
        pytest.param(
            {"base_image_commands": [["sleep", 1]]}, "base_image_commands has 1", id="word-that-is-a-number"
        ),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, t.Any], says: str) -> None:
    (fault,) = faults(options)
    assert says in fault
