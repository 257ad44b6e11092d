# The front door.  Meson does the work; this file only names what people ask
# for.  BUILD is where `make` builds, JOBS how many compilers run at once.
BUILD = build
JOBS = $(shell nproc 2>/dev/null || echo 2)
DESTDIR ?=
PREFIX = /usr/local
CORPORA ?=
ADAPTER = all
ROWS =
SERVICES =
export BUILD JOBS CORPORA

.PHONY: all demo check bench fuzz matrix planted full amalgamation install \
    corpora coverage cross format clean deps check-programs

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS) --quiet

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { \
	    echo "meson is missing: run tools/install-deps --build"; exit 1; }
	@meson setup $(BUILD) --prefix $(PREFIX)

deps:
	@tools/install-deps

# What pinfast does, on real connections and files, in a minute.
demo:
	@tools/install-deps --build
	@$(MAKE) --no-print-directory all
	@tests/demo/demo.sh $(BUILD)

# Everything that a change must pass before it is shown to anybody.
check: deps
	@tools/check

bench:
	@tools/install-deps --bench
	@tools/bench

fuzz: deps
	@tools/fuzz

planted: deps
	@tools/planted
	@$(MAKE) --no-print-directory all
	@tools/planted-adapters $(CURDIR)/$(BUILD)

coverage: deps
	@tools/coverage

cross:
	@tools/install-deps --cross
	@tools/cross-units
	@tools/cross
	@$(MAKE) --no-print-directory all
	@tools/cross-mbedtls $(BUILD)

# All but the sanitizers and such, which are .ci/run's; the summary is kept in
# docs/full-run.txt.
full:
	@tools/install-deps --full
	@tools/full

# The conformance table over every adapter: real handshakes with a
# misbehaving peer.  ADAPTER=openssl ROWS="ctl-leaf ..." runs a part.
matrix: deps all
	@tests/conform/run $(BUILD) $(ADAPTER) $(ROWS)

# Real servers and proxies, each started for the test in a private network.
# SERVICES="smtp imap ..." runs a part.
check-programs:
	@tools/install-deps --programs
	@$(MAKE) --no-print-directory all
	@tools/check-programs $(SERVICES)

amalgamation:
	@tools/amalgamate $(BUILD)/amalgamation

install: all
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

# CORPORA names a folder of certificates that stays outside the tree.
corpora: all
	@test -n "$(CORPORA)" || { echo "say make corpora CORPORA=DIR"; exit 2; }
	@tests/corpora/run "$(CORPORA)"

format:
	@clang-format-14 -i $$(git ls-files '*.c' '*.h')

clean:
	@rm -rf $(BUILD) $(BUILD)-*
