# make demo: everything from nothing, then the main job on the demo city.  make test: everything, then the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/demo

.PHONY: demo test lint bench wheelhouse data notebooks clean

$(VENV)/ready: pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "缺少 Python：请安装 python3（≥3.11），Debian/Ubuntu: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 版本过低：需要 ≥3.11，现为 $$($(PYTHON) -V)。可用 make PYTHON=/path/to/python3.11 demo"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "缺少 venv 模块：Debian/Ubuntu 请执行 apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/ready
	$(BIN)/lcsiting demo --out $(OUT) --overwrite

test: $(VENV)/ready
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(VENV)/ready
	$(BIN)/python scripts/bench.py --json bench.json

data: $(VENV)/ready
	$(BIN)/python scripts/make_demo_data.py

notebooks: $(VENV)/ready
	$(BIN)/jupytext --to ipynb notebooks/*.py

# For PCs without internet: copy the folder wheelhouse/ over and follow the README.
wheelhouse: $(VENV)/ready
	$(BIN)/python -m pip wheel --quiet --wheel-dir wheelhouse '.[docs,notebook]'

clean:
	rm -rf $(VENV) out wheelhouse build dist
