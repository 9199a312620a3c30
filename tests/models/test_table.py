from __future__ import annotations

import subprocess
import sys

from cnnlab.models.catalog import MODELS
from cnnlab.models.official_weights import OFFICIAL
from cnnlab.models.table import read_table


def test_the_table_has_the_catalogues_networks_in_its_order() -> None:
    rows = read_table()
    assert [row.name for row in rows] == list(MODELS)
    for row in rows:
        entry = MODELS[row.name]
        assert (row.year, row.paper) == (entry.year, entry.paper)
        assert row.input == "x".join(map(str, (entry.in_channels, *entry.sizes)))
        assert row.weights == tuple(each.filename for each in OFFICIAL if each.name == row.name)


def test_it_is_read_without_torch() -> None:
    code = "import sys, cnnlab.models.table as table; table.read_table(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
