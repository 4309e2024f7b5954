# What people and machines run. Everything that is not Rust, gcc, make, Python or Node is installed
# below .tools/ and tests/sdk/node/node_modules/; nothing else on the machine is changed, except
# that root gets missing packages (python3-venv, PostgreSQL for the tests) from apt-get.

SHELL = /bin/sh
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.tools/bin:$(PATH)

CARGO = cargo
SDK_VENV = .tools/sdk
SDK_PYTHON = $(SDK_VENV)/bin/python
PIP_FLAGS = --quiet --disable-pip-version-check --no-input --root-user-action=ignore
NPM_FLAGS = --ignore-scripts --no-audit --no-fund --loglevel=error
KEYS = $$OPENAI_API_KEY$$ANTHROPIC_API_KEY$$GEMINI_API_KEY
APT_INSTALL = [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

.PHONY: help run build test lint fmt doc unit-test catalog-test corpus-test sdk-test sdk-python sdk-node loom bench bench-guard fuzz conf catalog clean tools postgres faketime

help:
	@echo "make run    build the release and serve on 127.0.0.1:8080"
	@echo "make test   the whole check: format, lints, tests, docs, the vendors' SDKs"
	@echo "make fmt | lint | loom | sdk-test | bench | bench-guard | fuzz | conf | clean"

# Without a configuration file and without a provider's key there is still the built-in demo.
run: build
	@if [ -f arouter.toml ]; then \
		exec target/release/arouter run; \
	elif [ -n "$(KEYS)" ]; then \
		: "$${AROUTER_KEY:=lr_live_$$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')}"; \
		export AROUTER_KEY; \
		echo "Key: $$AROUTER_KEY   (configuration: conf/examples/vendors.toml)" >&2; \
		exec target/release/arouter run -c conf/examples/vendors.toml; \
	else \
		exec target/release/arouter run --demo; \
	fi

build: tools
	@$(CARGO) build --release --locked

test: tools
	@echo "== format"
	@$(CARGO) fmt --check
	@echo "== lints"
	@$(CARGO) clippy --quiet --locked --all-targets -- -D warnings
	@echo "== tests"
	@$(MAKE) unit-test
	@echo "== the price catalog and what makes it"
	@$(MAKE) catalog-test
	@echo "== recorded traffic through every pair of formats"
	@$(MAKE) corpus-test
	@echo "== model checks"
	@$(MAKE) loom
	@echo "== documentation"
	@$(MAKE) doc
	@echo "== the vendors' SDKs"
	@$(MAKE) sdk-test
	@echo "== all is well"

fmt:
	@$(CARGO) fmt

lint: tools
	@$(CARGO) fmt --check
	@$(CARGO) clippy --locked --all-targets -- -D warnings

unit-test: tools postgres faketime
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked --cargo-quiet --status-level fail --hide-progress-bar \
			-E 'not binary(corpus)'; \
	else \
		$(CARGO) test --quiet --locked; \
	fi

catalog-test:
	@python3 -B -m unittest -q conf/catalog/test_catalog.py

# Built-in prices anew from the public tables; refused where a price leaps. Then look at the changes.
catalog:
	@python3 -B conf/catalog/regenerate.py

# Shows a table per check. It also writes what the vendors' SDKs read in sdk-python.
corpus-test: tools
	@$(CARGO) test --quiet --locked --test corpus -- --nocapture --test-threads=1

# Every order in which threads can meet at a counter.
loom:
	@$(CARGO) test --quiet --locked --manifest-path tests/loom/Cargo.toml --target-dir target/loom

doc: tools
	@RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --quiet --locked --no-deps

sdk-test: sdk-python sdk-node

sdk-python: tools $(SDK_VENV)/installed
	@$(CARGO) build --quiet --locked
	@cd tests/sdk/python && ../../../$(SDK_PYTHON) -B -m pytest

sdk-node: tools tests/sdk/node/node_modules/.installed
	@$(CARGO) build --quiet --locked
	@cd tests/sdk/node && npm test --silent

$(SDK_VENV)/installed: tests/sdk/python/requirements.txt
	@rm -rf $(SDK_VENV)
	@python3 -m venv $(SDK_VENV) || \
		{ $(APT_INSTALL) python3-venv && python3 -m venv --clear $(SDK_VENV); }
	@$(SDK_PYTHON) -m pip install $(PIP_FLAGS) -r tests/sdk/python/requirements.txt
	@touch $@

tests/sdk/node/node_modules/.installed: tests/sdk/node/package-lock.json
	@cd tests/sdk/node && npm ci $(NPM_FLAGS)
	@touch $@

# The gateway is compared with nginx: the machine's own, or Debian's package unpacked below .tools/,
# where nothing starts it.
bench: tools postgres
	@export PATH="$$PATH:/usr/sbin:$(CURDIR)/.tools/nginx/usr/sbin"; \
	command -v nginx >/dev/null || { mkdir -p .tools/nginx && cd .tools/nginx && \
		apt-get download -qq nginx && dpkg -x nginx_*.deb . && cd ../..; }; \
	$(CARGO) bench --locked --bench json --bench admission --bench routing --bench store \
		--bench translate --bench overhead

# Instructions of every translation, compared with benches/translate.counts.toml.
bench-guard: tools
	@$(CARGO) bench --locked --bench translate -- --counts

# Every target in turn, begun with the recordings; FUZZ_SECONDS each. The compiler stays the pinned
# one, whose unstable flags cargo-fuzz needs.
FUZZ_SECONDS = 60
fuzz: tools
	@[ -x .tools/bin/cargo-fuzz ] || $(CARGO) install --quiet --locked --root .tools cargo-fuzz@0.13.2
	@cp Cargo.lock fuzz/Cargo.lock
	@$(CARGO) test --quiet --locked --test fuzz_smoke -- --ignored write_corpora
	@for target in fuzz/fuzz_targets/*.rs; do \
		RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run $$(basename $$target .rs) -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=20 || exit 1; \
	done

# conf/ and docs/configuration.md are made from the documented types; a test compares them.
conf: tools
	@$(CARGO) run --quiet --locked -- config generate .

clean:
	@$(CARGO) clean
	@rm -rf .tools tests/sdk/node/node_modules

# The tests of the store start a private server of their own.
postgres:
	@{ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || \
		{ $(APT_INSTALL) postgresql; } || \
		{ echo "PostgreSQL is needed for the tests: install the package postgresql" >&2; exit 1; }

# The tests of clocks set the clock of one process: with the machine's own library, or Debian's
# package unpacked below .tools/.
FAKETIME = usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1
faketime:
	@[ -e /$(FAKETIME) ] || [ -e .tools/faketime/$(FAKETIME) ] || { mkdir -p .tools/faketime && \
		cd .tools/faketime && apt-get -o APT::Sandbox::User=root download -qq libfaketime \
		&& dpkg -x libfaketime_*.deb .; } || \
		{ echo "libfaketime is needed for the tests: install the package libfaketime" >&2; exit 1; }

# A dependency written in C is built with cmake.
tools:
	@command -v cmake >/dev/null || \
		{ python3 -m venv .tools && .tools/bin/pip install $(PIP_FLAGS) cmake; } || \
		{ $(APT_INSTALL) cmake; } || \
		{ echo "cmake is needed and could not be installed" >&2; exit 1; }
