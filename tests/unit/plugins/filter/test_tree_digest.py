from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.detnet.testbed.plugins.filter.tree_digest import tree_digest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("y")
    return tmp_path


def test_the_same_content_has_the_same_digest(tree: Path) -> None:
    first = tree_digest(str(tree))
    os.utime(tree / "a", (0, 0))
    assert tree_digest(str(tree)) == first


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tree: (tree / "a").write_text("z"), id="content"),
        pytest.param(lambda tree: (tree / "a").rename(tree / "c"), id="a-name"),
        pytest.param(lambda tree: (tree / "a").chmod(0o755), id="a-file-that-became-a-program"),
        pytest.param(lambda tree: (tree / "a").unlink(), id="a-file-less"),
        pytest.param(
            lambda tree: Path(os.fsdecode(b"%s/\xff" % os.fsencode(tree))).touch(),
            id="a-name-that-is-no-text",
        ),
    ],
)
def test_another_content_has_another_digest(tree: Path, change: object) -> None:
    first = tree_digest(str(tree))
    change(tree)  # type: ignore[operator]
    assert tree_digest(str(tree)) != first


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnsibleFilterError, match="there is no file below it; check the path"):
        tree_digest(str(tmp_path))
