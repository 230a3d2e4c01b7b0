# VideoForge. `make run` and `make test` need nothing but Python 3.11 or newer and make.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check -q

.PHONY: licences postgresql redis bench-reports bench-poll bench-archive vendors install run test quick chaos lint format lock messages figures browser clean

install: $(VENV)/.run-installed

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "VideoForge needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Making a virtual environment failed; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.run-installed: requirements/run.txt | $(PY)
	@echo "Installing packages ..."
	@$(PIP) install --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.test-installed: requirements/test.txt $(VENV)/.run-installed
	@echo "Installing packages for the tests ..."
	@$(PIP) install --require-hashes -r requirements/run.txt -r requirements/test.txt
	@touch $@

# exec, so that a signal to this process reaches the launcher
run: install
	@exec $(PY) manage.py run $(ARGS)

# What needs no other process and no browser, with fewer examples for the property tests: for the inner loop.
quick: $(VENV)/.test-installed
	@$(PY) -m pytest -n 2 -m "not browser and not route and not chaos and not chaos_short"

lint: $(VENV)/.test-installed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .
	@$(PY) manage.py makemigrations --check --dry-run

format: $(VENV)/.test-installed
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

browser:
	@tests/browser/ensure_chromium.sh

# The tests of the route and the short storm mostly wait for other processes, so three files of them go at a time.
test: export PROPERTY_EXAMPLES = 100
test: $(VENV)/.test-installed browser lint quick
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m browser
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "(route or chaos_short) and not browser"
	@$(MAKE) -s postgresql redis

# What the database itself has a part in, once more on PostgreSQL.
postgresql: $(VENV)/.test-installed
	@tests/ensure_debian.sh postgresql '/usr/lib/postgresql/*/bin/initdb' 'The tests on PostgreSQL'
	@$(PY) -m tests.postgresql pytest -n 2 tests/test_totals.py tests/test_budgets.py tests/test_alerts.py tests/test_lifecycle.py \
		tests/test_answers.py tests/test_dispatch.py tests/test_saving.py tests/test_rounds.py \
		tests/test_reports.py tests/test_exports.py tests/test_reconciliation.py tests/test_reconciliation_asking.py tests/views/test_usage.py \
		tests/views/test_reconciliation.py tests/views/test_live.py tests/views/test_decisions.py \
		tests/test_sharing.py tests/views/test_share.py tests/test_invitations.py tests/test_leaving.py tests/test_teams.py \
		tests/test_limits.py tests/test_sessions.py tests/test_queries.py

# What is counted in the cache that all processes share, once more in Redis.
redis: $(VENV)/.test-installed
	@tests/ensure_debian.sh redis-server redis-server 'The tests with Redis'
	@$(PY) -m tests.redis pytest tests/test_limits.py tests/test_sign_in.py tests/views/test_share.py

# Two hundred tasks over five vendors while everything dies that can: many minutes. As root it fills a real small disk.
chaos: $(VENV)/.test-installed
	@$(PY) -m pytest -m chaos

# The page of what each vendor offers, from the catalogue.
vendors: install
	@$(PY) manage.py catalogue > docs/vendors.md

# The list of libraries and their licences, from what is installed.
licences: $(VENV)/.test-installed
	@$(PY) -m tests.licences > docs/licences.md

# How soon a vendor's success is known and what it costs; 100, 1000 and 5000 tasks take about ten minutes.
bench-poll: $(VENV)/.test-installed
	@$(PY) -m tests.scale.bench_poll

# How long the pages of usage take at 10,000 and at 1,000,000 rows of the ledger; ten minutes and 1.5 GB of disk.
bench-reports: $(VENV)/.test-installed
	@$(PY) -m tests.scale.bench_reports

# How fast finished clips are copied, beside curl. Needs curl; BENCH_FOLDER says on which disk.
bench-archive: $(VENV)/.test-installed
	@$(PY) -m tests.scale.bench_archive

figures: $(VENV)/.test-installed browser
	@$(PY) -m tests.scale.figures

lock: $(VENV)/.test-installed
	@$(PIP) install pip-tools
	@cd requirements && for name in run test; do ../$(PY) -m piptools compile -q --generate-hashes --no-annotate --no-header \
		--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe -o $$name.txt $$name.in; done

messages: $(VENV)/.test-installed
	@$(PY) manage.py makemessages --locale zh_Hans --ignore .venv --ignore tests --ignore var --no-location --no-obsolete
	@$(PY) manage.py compilemessages --locale zh_Hans --ignore .venv

clean:
	rm -rf $(VENV)
