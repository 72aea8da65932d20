# Every target installs what it needs (apt where this is Debian and you are root; elsewhere it says
# what is missing), and says what it does. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUILT := $(or $(CARGO_TARGET_DIR),target)
PREFIX ?= /usr/local
tools = @tests/checks/tools.sh
# About a minute of compiling, unoptimized: it has little to do.
deny = @cargo deny --version > /dev/null 2>&1 || { echo 'installing: cargo-deny'; \
	env -u CARGO_TARGET_DIR cargo install --quiet --locked --debug --version '^0.20' cargo-deny; }
# Always the whole workspace, so that demonstration and tests share what was compiled.
compile = @cargo build --locked --workspace

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install-tools
install-tools: ## install everything that any target needs
	$(tools) build run test bench lint page sbom
	$(deny)

.PHONY: build
build: ## compile the plugin, the gateway and the platform
	$(tools) build
	$(compile)

.PHONY: demo
demo: ## watch a gateway provision itself, on loopback; the last line is the outcome as JSON
	$(tools) build run
	$(compile)
	@BIN='$(BUILT)/debug' tests/demo/story.sh once

.PHONY: console
console: ## the same, left running with its web page; PORT=8080 chooses the port, Ctrl-C ends it
	$(tools) build run
	$(compile)
	@BIN='$(BUILT)/debug' PORT='$(PORT)' tests/demo/story.sh console

.PHONY: application
application: ## build the example application and pack it: heater-1.0.0.tar.gz in the target folder
	$(tools) build
	$(compile)
	@tests/applications/build.sh '$(abspath $(BUILT))/heater'
	@'$(BUILT)/debug/gateway' package pack '$(BUILT)/heater' --name heater --version 1.0.0 \
		-o '$(BUILT)/heater-1.0.0.tar.gz'

.PHONY: test
test: ## run every test; the last line counts them
	$(tools) build run test
	@TARGET='$(BUILT)' tests/checks/suite.sh

.PHONY: test-long
test-long: ## run the tests that take minutes, too
	$(tools) build run test
	@TARGET='$(BUILT)' tests/checks/suite.sh --long

# TARGET and SECONDS are taken from the command line only: both mean other things to a shell.
.PHONY: fuzz
fuzz: ## feed the readers of foreign bytes; TARGET=payload chooses one, SECONDS=60 how long each
	$(tools) build
	@tests/checks/fuzz.sh '$(if $(filter command%,$(origin SECONDS)),$(SECONDS),60)' $(if $(filter command%,$(origin TARGET)),'$(TARGET)')

.PHONY: sanitize
sanitize: ## run the trials of the contract under AddressSanitizer, the shared unsafe code under Miri
	$(tools) build
	@tests/checks/sanitize.sh

.PHONY: audit
audit: ## look for known flaws in the parts, by the newest database (needs github.com)
	$(deny)
	@cargo deny --locked check

.PHONY: lint
lint: ## check format, clippy, documentation, shell scripts, file lengths, parts, README
	$(tools) build lint
	$(deny)
	@tests/checks/lint.sh

.PHONY: bench
bench: ## measure an exchange, an attempt, memory and bytes; figures are in tests/e2e/README.md
	$(tools) build run bench
	@cargo bench --locked -p e2e --bench exchange

.PHONY: install
install: ## build for release and install; PREFIX=/usr/local, DESTDIR= stages a package
	$(tools) build
	@cargo build --locked --release -p provisioning-service -p gateway
	@BIN='$(BUILT)/release' PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' packaging/install.sh

.PHONY: sbom
sbom: ## write the parts list of plugin and gateway (CycloneDX JSON)
	$(tools) sbom
	@python3 packaging/parts.py sbom provisioning-service '$(BUILT)/provisioning-service.cdx.json'
	@python3 packaging/parts.py sbom gateway '$(BUILT)/gateway.cdx.json'

.PHONY: screenshot
screenshot: ## make docs/console.png anew from the running console
	$(tools) build run page
	$(compile)
	@BIN='$(BUILT)/debug' tests/demo/screenshot.sh docs/console.png

.PHONY: readme
readme: ## copy the example hosts into README.md anew
	@tests/checks/readme.sh --write

.PHONY: clean
clean: ## remove everything that was built
	@cargo clean
