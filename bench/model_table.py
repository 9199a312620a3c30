"""Count every network of the catalogue and write what `cnnlab models` shows: uv run python bench/model_table.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import cnnlab.models.table
from cnnlab.models.catalog import MODELS
from cnnlab.models.describe import describe_model

TABLE = Path(cnnlab.models.table.__file__).with_name("table.json")


def main() -> None:
    rows = [json.dumps(asdict(describe_model(name))) for name in MODELS]
    TABLE.write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
