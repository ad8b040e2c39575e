"""The public ``export``: what it refuses, what it replaces, what it leaves alone."""

import dataclasses

import pandas as pd
import pytest

import lcsiting as lc
from lcsiting import exporters
from lcsiting.errors import ExportError
from lcsiting.exporters import export


def test_it_is_the_public_function():
    assert lc.export is export
    known = {"html", "shp", "gpkg", "tif", "xlsx", "csv", "kml", "letters"}
    assert set(exporters.FORMATS) == set(exporters.OUTPUTS) == known


@pytest.mark.filterwarnings("ignore:shp. some texts")
def test_every_format_is_written_and_named(tiny_result, tmp_path):
    written = export(tiny_result, tmp_path / "成果 一")
    usual = set(exporters.OUTPUTS.values()) - {"plan.kml", "letters"}
    assert {path.relative_to(tmp_path / "成果 一").parts[0] for path in written} == usual
    assert all(path.is_file() and path.stat().st_size for path in written)
    assert not [path for path in (tmp_path / "成果 一").rglob("*") if path.name.startswith(".")]  # no leftovers


def test_existing_outputs_are_named_and_nothing_is_written(tiny_result, tmp_path):
    (tmp_path / "refused.csv").write_text("mine")
    with pytest.raises(ExportError, match=r"refused\.csv.*overwrite"):
        export(tiny_result, tmp_path, ["xlsx", "csv"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["refused.csv"]
    assert (tmp_path / "refused.csv").read_text() == "mine"


def test_overwriting_replaces_ours_and_keeps_a_planners_own_file(tiny_result, tmp_path):
    export(tiny_result, tmp_path, ["tif"])
    (tmp_path / "tif" / "1999_old_layer.tif").write_bytes(b"stale")
    (tmp_path / "tif" / "我的工程.qgz").write_bytes(b"mine")
    written = export(tiny_result, tmp_path, ["tif"], overwrite=True)
    names = {path.name for path in written}
    assert "我的工程.qgz" in names
    assert "1999_old_layer.tif" not in names
    assert not list(tmp_path.glob(".*"))


def test_a_failure_leaves_the_old_file_whole(tiny_result, tmp_path):
    (tmp_path / "refused.csv").write_text("old")
    broken = dataclasses.replace(tiny_result, plan=dataclasses.replace(tiny_result.plan, refused=None))
    with pytest.raises(AttributeError):
        export(broken, tmp_path, ["csv"], overwrite=True)
    assert (tmp_path / "refused.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["refused.csv"]


def test_a_locked_file_is_explained(tiny_result, tmp_path, monkeypatch):
    def locked(*args, **kwargs):
        raise PermissionError("used by another process")

    monkeypatch.setitem(exporters.FORMATS, "csv", locked)
    with pytest.raises(ExportError, match=r"refused\.csv cannot be written.*Close it"):
        export(tiny_result, tmp_path, ["csv"])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"formats": ["pdf"]}, "'pdf'; known: html"), ({"lang": "fr"}, "no language 'fr'")],
)
def test_what_is_not_known_is_refused(tiny_result, tmp_path, options, message):
    with pytest.raises(ExportError, match=message):
        export(tiny_result, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_refused_list_is_complete_and_harmless_in_a_spreadsheet(tiny_result, tmp_path):
    export(tiny_result, tmp_path, "csv")
    raw = (tmp_path / "refused.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # Excel needs it to see UTF-8
    frame = pd.read_csv(tmp_path / "refused.csv", encoding="utf-8-sig", dtype=str)
    assert len(frame) == len(tiny_result.plan.refused)
    assert list(frame["站址名称"]) == ['\'=HYPERLINK("http://example.invalid","茌平")'] * 2 + ["'-1+1"]
    assert frame["原因"].iloc[2] == "'+新增覆盖不足"
    assert frame["规则"].iloc[0] == "永久基本农田"
    assert frame["经度(°)"].iloc[0] == "115.9"  # a number stays a number
