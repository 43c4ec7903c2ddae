# `make demo` shows fsrvpd at work, `make test` proves it; both install what they need.
PYTHON ?= /usr/bin/python3
VENV := .venv

$(VENV)/stamp: pyproject.toml setup.py $(wildcard src/*.c src/*.h src/*.py)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[test,lint]'
	touch $@

.PHONY: venv
venv: $(VENV)/stamp
