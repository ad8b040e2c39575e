"""The tiny city of ``tests/conftest.py`` by its path: ``conftest`` means another file once siblings are loaded."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("tiny_city_source", Path(__file__).parents[1] / "conftest.py")
_source = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_source)

RAW_CONFIG, build_tiny_project, tiny_config = _source.RAW_CONFIG, _source.build_tiny_project, _source.tiny_config
