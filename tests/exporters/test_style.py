"""Fonts for matplotlib: found on the disk, named as the file says, or honestly absent."""

import pytest

from lcsiting.exporters import style

font_manager = pytest.importorskip("matplotlib.font_manager", reason="matplotlib is not installed")


def test_the_font_found_draws_chinese():
    name = style.cjk_font()
    if not name:
        pytest.skip("this computer has no font with Chinese")
    path = font_manager.findfont(name, fallback_to_default=False)
    assert font_manager.get_font(path).get_char_index(ord("聊")) > 0


def test_without_a_chinese_font_the_answer_is_empty(monkeypatch):
    """Labels are then English, never boxes."""
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_: ["/fonts/DejaVuSans.ttf"])
    assert style.cjk_font() == ""


def test_a_better_font_wins_and_bold_ones_do_not(monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("wqy-zenhei.ttc", "NotoSansCJK-Bold.ttc", "msyh.ttc", "simsun.ttc")]
    added = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_: [str(path) for path in files])
    monkeypatch.setattr(font_manager.fontManager, "addfont", added.append)
    monkeypatch.setattr(font_manager, "get_font", lambda path: type("Font", (), {"family_name": path}))
    assert style.cjk_font().endswith("msyh.ttc")
    assert added == [str(tmp_path / "msyh.ttc")]
    assert style.cjk_font(str(files[0])).endswith("wqy-zenhei.ttc"), "a file given is taken"
