# `make demo` shows fsrvpd in use, `make test` runs all tests; both install what they need.
.DEFAULT_GOAL := help
PYTHON ?= /usr/bin/python3
VENV := .venv
WHEEL := build/wheel
PACKAGED := $(shell find fsrvpd samba_hooks src -name '*.py' -o -name '*.[ch]')
C_SOURCES := $(wildcard src/fsrvp_*.c)
C_FORMATTED := $(wildcard src/*.[ch] tests/fuzz/*.c tests/wheels/*.c)
C_WARNINGS := -std=c11 -Wall -Wextra -Wconversion -Werror

# The number of tests that run at the same time. Most of them wait more than they compute.
JOBS ?= $(shell expr $$(nproc) + 1)
PYTEST := $(VENV)/bin/pytest -n $(JOBS) --durations=10
UNIT := tests/unit tests/oracle tests/test_layers.py

.PHONY: help demo test check unit lint lint-c coverage docs bench deps venv wheel clean
.PHONY: soak fuzz test-ad test-cluster test-platform test-versions test-wheels test-cockpit lint-cockpit

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: deps ## show one backup: a NAS, a snapshot of its share, the end of it
	@$(MAKE) --no-print-directory --silent venv
	@$(VENV)/bin/python -m demo.demo

# What has a target of its own, below.
APART := --ignore=tests/cluster --ignore=tests/cockpit --ignore=tests/versions --ignore=tests/wheels
# Labs run the built wheel, in an environment without the tree.
test: deps ## prove everything that this machine's kernel can show, as root
	@$(MAKE) --no-print-directory lint wheel
	FSRVPD_SCRIPTS=$(CURDIR)/$(WHEEL)/venv/bin $(PYTEST) $(APART)

check: lint unit ## lint, and the tests that need no Samba: before every commit

# Which tests run which modules, and whether tests/proved_by.py says so. ONLY chooses tests.
ONLY ?= --ignore=tests/cockpit --ignore=tests/versions --ignore=tests/wheels
coverage: deps ## run the tests, and list for each module which of them run its lines
	@$(MAKE) --no-print-directory --silent venv
	rm -rf build/coverage && mkdir -p build/coverage && chmod 1777 build/coverage
	status=0; COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml \
	    COVERAGE_FILE=$(CURDIR)/build/coverage/data $(PYTEST) $(ONLY) || status=$$?; \
	    $(VENV)/bin/python -m tests.coverage_table build/coverage && exit $$status

# Every fault at every point, clients and crashes in any order, and load, for about an hour.
# SOAK is the number of random runs of clients and crashes.
SOAK ?= 500
soak: deps ## every fault at every point, and clients and crashes in any order, for an hour
	@$(MAKE) --no-print-directory --silent venv
	FSRVPD_SOAK=$(SOAK) $(VENV)/bin/pytest -s tests/reliability

# Long runs of the fuzzers: RUNS inputs for each C harness, and EXAMPLES of damaged exchanges
# for associations.
RUNS ?= 20000000
EXAMPLES ?= 100000
fuzz: deps ## the fuzzers at length
	@$(MAKE) --no-print-directory --silent venv
	FSRVPD_FUZZ_RUNS=$(RUNS) FSRVPD_FUZZ_EXAMPLES=$(EXAMPLES) $(VENV)/bin/pytest tests/fuzz tests/unit/rpc/test_hostile_bytes.py tests/unit/rpc/test_hostile_servers.py

# The part of `test` that needs an Active Directory, which it creates.
test-ad: deps ## the part of `test` that needs an Active Directory
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/pytest tests/ad

# Three nodes of CTDB, with smbd and fsrvpd, in namespaces on one btrfs. Fifteen minutes at most.
test-cluster: deps ## a cluster of Samba servers on CTDB
	@$(MAKE) --no-print-directory wheel
	FSRVPD_SCRIPTS=$(CURDIR)/$(WHEEL)/venv/bin $(PYTEST) tests/cluster

# The contract of providers on storage that this machine's kernel may lack. STORAGE selects some
# of it; the default is all. What is built is kept in $FSRVPD_TEST_CACHE (~/.cache/fsrvpd).
# $FSRVPD_TEST_SNAPSHOTS_MANY is the number of snapshots in the test of many: on an emulated
# machine, where each takes seconds, the default is 20. Without STORAGE a stock smbd on LVM is
# tested as well: Samba's own agent through vfs_shell_snap, and previous versions.
test-platform: deps ## the contract of providers on every storage, emulated where need be
	@packaging/install-test-packages packaging/debian-platform-packages.txt
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/python -m tests.platform $(STORAGE)
	$(if $(STORAGE),,$(VENV)/bin/python -m tests.platform.samba)

# The wheel with Samba and Python of Debian 11, 12, 13 and unstable. The releases are kept in
# the same cache: five minutes to download, three to test.
test-versions: deps ## the wheel beside the Samba of Debian 11, 12, 13 and unstable
	@packaging/install-test-packages packaging/debian-versions-packages.txt
	@$(MAKE) --no-print-directory --silent venv
	$(PYTEST) tests/versions

# The C core for the machines and libcs that wheels are made for, with one compiler for all of
# them. Code for another machine runs emulated. Two minutes, and two more to download.
test-wheels: deps ## the C core for every machine and libc that wheels are made for
	@packaging/install-test-packages packaging/debian-wheels-packages.txt
	@$(MAKE) --no-print-directory --silent venv
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[wheels]'
	$(PYTEST) tests/wheels

# The page in Cockpit, in Debian's browser. Nothing else of the project needs Node. Four minutes,
# and one to install.
test-cockpit: deps ## the page in Cockpit, in a real browser
	@packaging/install-test-packages packaging/debian-node-packages.txt
	@$(MAKE) --no-print-directory lint-cockpit wheel
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[cockpit]'
	FSRVPD_SCRIPTS=$(CURDIR)/$(WHEEL)/venv/bin $(PYTEST) tests/cockpit

# Speed compared with Samba's own agent; needs what `test` needs, and an idle machine.
bench: deps venv ## how fast, against Samba's own agent
	$(VENV)/bin/python -m benchmarks

deps: ## install what tests need from Debian
	@packaging/install-test-packages

venv: $(VENV)/stamp ## this tree and its tools, in .venv

$(VENV)/stamp: pyproject.toml setup.py fsrvpd/__init__.py $(wildcard src/*.c src/*.h src/*.py)
	@echo "building fsrvpd in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -e '.[kerberos,metrics,requestor,test,lint,docs]'
	touch $@

wheel: $(WHEEL)/stamp ## build the wheel, and an environment with it

$(WHEEL)/stamp: $(VENV)/stamp $(PACKAGED)
	@echo "building the wheel in $(WHEEL)"
	rm -rf build/lib* build/bdist* $(WHEEL)
	$(VENV)/bin/pip wheel --quiet --disable-pip-version-check --no-deps -w $(WHEEL) .
	$(PYTHON) -m venv $(WHEEL)/venv
	$(WHEEL)/venv/bin/pip install --quiet --disable-pip-version-check \
	    "$$(echo $(WHEEL)/*.whl)[kerberos,metrics,requestor]"
	touch $@

lint: venv lint-c ## style, types and words
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/clang-format --dry-run -Werror $(C_FORMATTED)
	$(VENV)/bin/codespell
	@[ ! -d cockpit/node_modules ] || $(MAKE) --no-print-directory lint-cockpit

lint-c: ## the C core's warnings, by two compilers
	gcc $(C_WARNINGS) -fsyntax-only $(C_SOURCES)
	clang $(C_WARNINGS) -fsyntax-only $(C_SOURCES)

# `npm ci` installs exactly what the lock file says.
NODE_MODULES := cockpit/node_modules/.package-lock.json
$(NODE_MODULES): cockpit/package.json cockpit/package-lock.json
	cd cockpit && npm ci --silent
	touch $@

lint-cockpit: $(NODE_MODULES) ## types and style of the page in Cockpit; needs Node
	cd cockpit && npm run --silent lint

unit: venv ## the tests that need no Samba
	$(PYTEST) $(UNIT)

# Site in build/docs/html, manual pages in docs/man. A test checks that the pages are current.
SPHINX := $(VENV)/bin/python -m sphinx -q -W --keep-going -n -d build/docs/doctrees docs
docs: venv ## the site and the manual pages
	$(VENV)/bin/python -m docs.generate
	$(SPHINX) -b man build/docs/man
	cp build/docs/man/*.[1-9] docs/man/
	$(SPHINX) -b html build/docs/html

clean: ## remove what was built here
	rm -rf $(VENV) build dist *.egg-info cockpit/node_modules cockpit/dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find fsrvpd -name '*.so' -delete
