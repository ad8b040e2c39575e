"""What a run hands over: map, shapefiles, GeoPackage, KML, rasters, workbook, lists.

An exporter is one function ``write(result, path, lang=..., basemap=...)`` that
writes one file or one folder, and one line in :data:`FORMATS`. It computes nothing.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from lcsiting.errors import ExportError
from lcsiting.model import Result

LANGUAGES = ("zh", "en")


def _html(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.html import write_map

    write_map(result, path, lang=options["lang"], basemap=options["basemap"])


def _shp(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.vector import write_shapefiles

    write_shapefiles(result, path, lang=options["lang"])


def _gpkg(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.vector import write_geopackage

    write_geopackage(result, path, lang=options["lang"])


def _tif(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.raster import write_rasters

    write_rasters(result, path, lang=options["lang"])


def _xlsx(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.workbook import write_workbook

    write_workbook(result, path, lang=options["lang"])


def _csv(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.tables import write_refused

    write_refused(result, path, lang=options["lang"])


def _kml(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.kml import write_kml

    write_kml(result, path, lang=options["lang"])


def _letters(result: Result, path: Path, **options: Any) -> None:
    from lcsiting.exporters.letters import write_letters

    write_letters(result, path, lang=options["lang"])


FORMATS: dict[str, Callable[..., None]] = {
    "html": _html,
    "shp": _shp,
    "gpkg": _gpkg,
    "tif": _tif,
    "xlsx": _xlsx,
    "csv": _csv,
    "kml": _kml,
    "letters": _letters,
}
OUTPUTS = {
    "html": "map.html",
    "shp": "shp",
    "gpkg": "plan.gpkg",
    "tif": "tif",
    "xlsx": "plan.xlsx",
    "csv": "refused.csv",
    "kml": "plan.kml",
    "letters": "letters",
}


def _check(out_dir: Path, formats: Sequence[str], lang: str, overwrite: bool) -> None:
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise ExportError(f"export: no format {', '.join(map(repr, unknown))}; known: {', '.join(FORMATS)}")
    if lang not in LANGUAGES:
        raise ExportError(f"export: no language {lang!r}; known: {', '.join(LANGUAGES)}")
    if out_dir.exists() and not out_dir.is_dir():
        raise ExportError(f"export: {out_dir} is a file; name a folder")
    there = [str(out_dir / OUTPUTS[name]) for name in formats if (out_dir / OUTPUTS[name]).exists()]
    if there and not overwrite:
        raise ExportError(
            f"export: {len(there)} outputs exist already ({', '.join(there)}). "
            "Choose another folder, or allow overwriting (overwrite=True, --overwrite)."
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _put(temporary: Path, target: Path) -> None:
    """Move a finished output into place; a planner's own files in an old folder are kept."""
    if not (temporary.is_dir() and target.is_dir()):
        temporary.replace(target)
        return
    old = target.with_name(f".{target.name}.old")
    _remove(old)
    target.rename(old)
    temporary.rename(target)
    ours = {path.name.split(".")[0] for path in target.iterdir()}
    suffixes = {path.suffix for path in target.iterdir()}
    for path in old.iterdir():
        if path.name.split(".")[0] not in ours and path.suffix not in suffixes:
            path.rename(target / path.name)
    _remove(old)


def _files(target: Path) -> list[Path]:
    return sorted(p for p in target.rglob("*") if p.is_file()) if target.is_dir() else [target]


def export(
    result: Result,
    out_dir: str | Path,
    formats: Sequence[str] = ("html", "shp", "gpkg", "tif", "xlsx", "csv"),
    lang: str = "zh",
    overwrite: bool = False,
    basemap: str | None = None,
    progress: bool = False,
) -> list[Path]:
    """Write a result's outputs into a folder.

    Parameters
    ----------
    result : Result
        What :func:`lcsiting.run` or :func:`lcsiting.open_result` gave.
    out_dir : str or Path
        Folder, made if missing.
    formats : sequence of str
        Keys of :data:`FORMATS`: ``html`` ``shp`` ``gpkg`` ``tif`` ``xlsx`` ``csv`` ``kml``
        (Google Earth, Ovital) ``letters`` (coordination letters); the last two are not written unless named.
    lang : str
        ``zh`` or ``en``: headers, labels and words.
    overwrite : bool
        Replace outputs that exist; refused otherwise, before anything is written.
    basemap : str, optional
        URL template of an online tile layer for the map (``https://.../{z}/{x}/{y}...``).
        Without it the map needs no internet at all.
    progress : bool
        Show a progress bar when it takes longer than 3 s.

    Returns
    -------
    list of Path
        Every file written.

    Raises
    ------
    ExportError
        Unknown format or language, outputs that exist, a map that would need the internet.
    """
    out_dir = Path(out_dir)
    formats = [formats] if isinstance(formats, str) else list(dict.fromkeys(formats))
    _check(out_dir, formats, lang, overwrite)
    out_dir.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name in tqdm(formats, desc="输出", disable=not progress, leave=False, delay=3):
        target = out_dir / OUTPUTS[name]
        temporary = target.with_name(f".part-{target.name}")
        _remove(temporary)
        try:
            FORMATS[name](result, temporary, lang=lang, basemap=basemap)
            _put(temporary, target)
        except OSError as error:
            raise ExportError(
                f"export: {target} cannot be written ({error}). Close it in Excel, QGIS or the browser and try again."
            ) from error
        finally:
            _remove(temporary)
        written += _files(target)
    return written
