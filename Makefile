# `make demo` shows fsrvpd at work, `make test` proves it; both install what they need.
PYTHON ?= /usr/bin/python3
VENV := .venv
WHEEL := build/wheel
PACKAGED := $(shell find fsrvpd samba_hooks src -name '*.py' -o -name '*.[ch]')
C_SOURCES := $(wildcard src/fsrvp_*.c)
C_WARNINGS := -std=c11 -Wall -Wextra -Wconversion -Werror

.PHONY: demo test fuzz soak bench test-ad test-platform test-versions test-wheels deps venv wheel lint lint-c unit docs
.PHONY: clean

demo: deps
	@$(MAKE) --no-print-directory --silent venv
	@$(VENV)/bin/python -m demo.demo

# What runs in labs is the built wheel, in an environment without the tree.
test: deps
	@$(MAKE) --no-print-directory lint wheel
	FSRVPD_SCRIPTS=$(CURDIR)/$(WHEEL)/venv/bin $(VENV)/bin/pytest --ignore=tests/versions --ignore=tests/wheels

# Every fault at every point, clients and crashes in any order, and load, for an hour or so.
# SOAK is how many plays of clients and crashes there are.
SOAK ?= 500
soak: deps
	@$(MAKE) --no-print-directory --silent venv
	FSRVPD_SOAK=$(SOAK) $(VENV)/bin/pytest -s tests/reliability

# The fuzzers of the test suite at length: RUNS inputs for each C harness, and hypothesis
# throws EXAMPLES of noise at associations.
RUNS ?= 20000000
EXAMPLES ?= 100000
fuzz: deps
	@$(MAKE) --no-print-directory --silent venv
	FSRVPD_FUZZ_RUNS=$(RUNS) FSRVPD_FUZZ_EXAMPLES=$(EXAMPLES) $(VENV)/bin/pytest tests/fuzz tests/unit/rpc/test_hostile_bytes.py

# The part of `test` that needs an Active Directory; it makes one.
test-ad: deps
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/pytest tests/ad

# The contract of providers on storage that this machine's kernel may not have. BEDS names
# some of them; without, it is all. What is built for them stays in ~/.cache/fsrvpd, or
# wherever $FSRVPD_TEST_CACHE says. $FSRVPD_TEST_MANY is how many snapshots are many: on an
# emulated machine, where each takes seconds, 20 unless set. All includes a stock smbd above
# LVM: Samba's own agent through vfs_shell_snap, and previous versions.
test-platform: deps
	@packaging/install-test-packages packaging/debian-platform-packages.txt
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/python -m tests.platform $(BEDS)
	$(if $(BEDS),,$(VENV)/bin/python -m tests.platform.samba)

# The wheel beside the Samba of Debian 11, 12, 13 and unstable, with their own Pythons. The
# releases are kept in the same place: five minutes to fetch, three to test.
test-versions: deps
	@packaging/install-test-packages packaging/debian-versions-packages.txt
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/pytest tests/versions

# The C core for the machines and libcs that wheels are made for, with a compiler that has
# them all; what is of another machine runs emulated. Two minutes, and two to fetch it all.
test-wheels: deps
	@packaging/install-test-packages packaging/debian-wheels-packages.txt
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[wheels]'
	$(VENV)/bin/pytest tests/wheels

# How fast, against Samba's own agent; needs what `test` needs, and a quiet machine.
bench: deps venv
	$(VENV)/bin/python -m benchmarks

deps:
	@packaging/install-test-packages

venv: $(VENV)/stamp

$(VENV)/stamp: pyproject.toml setup.py $(wildcard src/*.c src/*.h src/*.py)
	@echo "building fsrvpd in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[kerberos,metrics,test,lint]'
	touch $@

wheel: $(WHEEL)/stamp

$(WHEEL)/stamp: $(VENV)/stamp $(PACKAGED)
	@echo "building the wheel in $(WHEEL)"
	rm -rf build/lib* build/bdist* $(WHEEL)
	$(VENV)/bin/pip wheel --quiet --disable-pip-version-check --no-deps -w $(WHEEL) .
	$(PYTHON) -m venv $(WHEEL)/venv
	$(WHEEL)/venv/bin/pip install --quiet --disable-pip-version-check \
	    "$$(echo $(WHEEL)/*.whl)[kerberos,metrics]"
	touch $@

lint: venv lint-c
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

lint-c:
	gcc $(C_WARNINGS) -fsyntax-only $(C_SOURCES)
	clang $(C_WARNINGS) -fsyntax-only $(C_SOURCES)

# What needs no Samba.
unit: venv
	$(VENV)/bin/pytest tests/unit tests/oracle tests/test_layers.py

# What of the documentation comes from the code; a test compares.
docs: venv
	$(VENV)/bin/python -m docs.manual

clean:
	rm -rf $(VENV) build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find fsrvpd -name '*.so' -delete
