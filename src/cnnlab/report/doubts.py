"""What a run's page says where it is not clear that the network learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnlab.report.page import Section, element, join, note, paragraph


def doubts(result: Mapping[str, Any]) -> list[Section]:
    """A section with what is wrong and what to try, from a run's `result.json`; none where the network learned."""
    if result.get("learned", True):
        return []
    warnings = [paragraph(f"{each[:1].upper()}{each[1:]}.") for each in result["warnings"]]
    if result["learned"] is None:
        return [Section("Did it learn?", join(warnings))]
    tries = element("ul", None, *(element("li", None, each) for each in result["try"]))
    return [Section("It has not learned", join([*warnings, note("What to try, the likeliest first:"), tries]))]
