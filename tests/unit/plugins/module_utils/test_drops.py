from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.detnet.testbed.plugins.module_utils._drops import DROPS

DROP_H = Path(__file__).parents[4] / "files/dpdk-app/core/drop.h"


def test_every_drop_of_the_switch_has_a_meaning_and_a_way_out() -> None:
    names = re.findall(r'X\([A-Z_]+, "([a-z_]+)"', DROP_H.read_text())
    assert names
    assert list(DROPS) == names
    assert all("; " in text for text in DROPS.values())
