# What a newcomer calls: `make demo` and `make test`. Both set everything up by themselves.
PYTHON ?= python3
VENV ?= .venv
PURE_VENV ?= .venv-pure
BIN = $(VENV)/bin
# Files of tests go to as many processes as there are cores, each with a screen and a thread.
TEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile
# The tested versions; plain pip works without them.
CONSTRAINTS = constraints.txt

.PHONY: demo test test-quick test-napari-versions check check-pure lock docs notebooks clean system browser

demo: system $(VENV)/.with-all
	$(BIN)/napari-active-seg demo

test: system browser $(VENV)/.with-test
	$(TEST)

test-quick: system $(VENV)/.with-test
	$(TEST) -m "not slow"

check: $(VENV)/.with-test check-pure
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_words.py

# The pure packages' tests pass where neither torch nor Qt is installed.
check-pure: $(PURE_VENV)/.ready
	$(PURE_VENV)/bin/python scripts/check_pure.py

# napari's menus and drops, with the oldest napari that pyproject.toml allows and the newest one.
test-napari-versions: system $(VENV)/.with-test
	sh scripts/check_napari_versions.sh $(BIN)/python

lock:
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --upgrade pip
	.venv-lock/bin/pip install --quiet -e '.[all,test]'
	.venv-lock/bin/pip freeze --exclude-editable > $(CONSTRAINTS)
	rm -rf .venv-lock

docs: $(VENV)/.with-test system browser
	$(BIN)/python scripts/make_screenshots.py docs/images
	$(BIN)/python scripts/make_notebook_screenshot.py docs/images
	$(BIN)/python scripts/make_reference.py
	$(BIN)/mkdocs build --strict

# Run all notebooks and keep what they show.
notebooks: system $(VENV)/.with-test
	xvfb-run -a -s "-screen 0 1600x1200x24" $(BIN)/python scripts/run_notebooks.py

clean:
	rm -rf $(VENV) $(PURE_VENV) build dist *.egg-info site

system:
	@sh scripts/system_packages.sh

# For the tests of the annotator in notebooks, which are left out without one.
browser:
	@command -v chromedriver >/dev/null || sh scripts/system_packages.sh "chromium chromium-driver" || true

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.with-all: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[all]'
	@touch $@

$(VENV)/.with-test: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	$(BIN)/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[all,test]'
	@touch $@ $(VENV)/.with-all

$(PURE_VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(PURE_VENV)
	$(PURE_VENV)/bin/pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) \
		numpy scipy scikit-image scikit-learn pytest hypothesis
	$(PURE_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@
