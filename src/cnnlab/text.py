"""Text that others chose, such as the names of files, made safe to print and to draw."""

from __future__ import annotations

import re
from functools import cache

# Control characters, which move a terminal's cursor and more; ends of lines; marks that turn the direction of writing;
# and what Python makes of bytes that are not UTF-8.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# Beside the font that matplotlib brings: fonts of many scripts, as systems have them.
_FAMILIES = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP"),
    *("Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback"),
    *("Microsoft YaHei", "SimHei", "SimSun", "Yu Gothic", "MS Gothic", "Malgun Gothic", "Nirmala UI", "Segoe UI"),
    *("PingFang SC", "Hiragino Sans GB", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS", "Geeza Pro"),
    *("Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai", "Noto Sans Arabic"),
)
NAME_LETTERS, TITLE_LETTERS = 48, 100
"""How many letters of a name, and of a title, have room in a picture."""


def printable(text: str, keep: str = "") -> str:
    """Give `text` with escapes in place of what cannot be shown, or would not stay on its line, but for `keep`.

    A byte that is not UTF-8 is shown as Python keeps it: E9 as the escape of U+DCE9.
    """
    return _ODD.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def drawable(text: str, most: int = NAME_LETTERS) -> str:
    """Give `text` as matplotlib can draw it here: of `most` letters or so, with escapes for those that no font has.

    Where the system has fonts for more scripts than matplotlib's own, they are used from then on.
    """
    shown = printable(text)
    if len(shown) > most:
        shown = f"{shown[: most * 2 // 3]}…{shown[1 - most // 3 :]}"
    known = _letters()
    return "".join(each if ord(each) in known else ascii(each)[1:-1] for each in shown)


@cache
def _letters() -> frozenset[int]:
    """The letters that the fonts of pictures have, by number."""
    from matplotlib import font_manager, rcParams

    installed = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    more = [family for family in _FAMILIES if family in installed]
    own = font_manager.findfont("DejaVu Sans")
    rcParams["font.family"] = ["DejaVu Sans", *more]
    fonts = (font_manager.get_font(path) for path in (own, *(installed[family] for family in more)))
    return frozenset(number for font in fonts for number in font.get_charmap())
