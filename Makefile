# SPDX-License-Identifier: GPL-2.0-or-later
# make help lists the targets. Objects go to build/ (build/san/ with SAN=address,undefined), never
# beside the sources. V=1 shows commands, CI=1 makes warnings errors.
CC ?= gcc
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SAN ?=
BUILD ?= build$(if $(SAN),/san)
JOBS ?= $(shell nproc)
PKGS := libnftnl libmnl jansson yaml-0.1 libpcap libcurl libmd libssl libcrypto libmicrohttpd libseccomp libcap-ng
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)

DEPS := gcc make pkg-config libc6-dev libnftnl-dev libmnl-dev libjansson-dev libyaml-dev libpcap-dev \
	libcurl4-openssl-dev libmd-dev libssl-dev libmicrohttpd-dev \
	libseccomp-dev libcap-ng-dev
DEPS_DEMO := docker.io iptables busybox-static iproute2 curl procps jq
DEPS_TEST := $(DEPS_DEMO) libcmocka-dev bats perl nftables tcpdump iperf3 socat python3 python3-yaml \
	python3-scapy python3-prometheus-client rsyslog systemd openssl \
	python3-selenium chromium chromium-driver graphviz clang-format clang-tidy cppcheck \
	tshark clang libclang-rt-14-dev binutils shellcheck mandoc codespell iputils-ping git \
	firewalld ufw dbus
DEPS_BENCH := ulogd2 ulogd2-json

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 \
	-Wundef -Wvla -Wno-missing-field-initializers $(if $(CI),-Werror)
# Control flow protection is x86's; tests/security/test_hardening.sh reads what came of it.
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection \
	$(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
ifneq ($(SAN),)
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -fPIE
endif
CFLAGS ?= -O2 -g
# pkg-config is asked once, when something is compiled: `make deps` may have come before.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
LIBS = $(eval LIBS := $$(shell pkg-config --libs $(PKGS)))$(LIBS)
BASE_FLAGS := -std=gnu17 -Iinclude -Isrc -iquote . -D_GNU_SOURCE \
	-DVW_SYSCONFDIR='"$(SYSCONFDIR)/vethwall"'
ALL_CFLAGS = $(BASE_FLAGS) $(CFLAGS) $(WARN) $(HARDEN) $(PKG_CFLAGS)
ALL_LDFLAGS := $(LDFLAGS) -pie -Wl,-z,relro,-z,now,-z,noexecstack $(if $(SAN),-fsanitize=$(SAN))

ROOMS := base core codec io agent cli
ARCHIVES := $(ROOMS:%=$(BUILD)/%.a)
# Link order: what includes comes before what is included.
LINK := $(BUILD)/cli.a $(BUILD)/agent.a $(BUILD)/io.a $(BUILD)/codec.a $(BUILD)/core.a $(BUILD)/base.a

SOURCES := $(wildcard src/*.c src/*/*.c)
HEADERS := $(wildcard include/vethwall/*.h src/*/*.h tests/*/*.h)
TEST_SOURCES := $(wildcard tests/*/*.c)
# Every test_* below tests/ is a test: C files are built, the others are run as they are.
TEST_BINS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/*/test_*.c))
TEST_SCRIPTS := $(wildcard tests/*/test_*.sh tests/*/test_*.bats tests/*/test_*.py)
LINT_SCRIPTS := $(filter tests/lint/%,$(TEST_SCRIPTS))
SOAK_MINUTES ?= 30
soak: KILLS ?= 100
# tests/fuzz/fuzz_X.c: BUILD/tests/fuzz/fuzz_X replays a corpus, `make fuzz` links it with a fuzzer.
FUZZ_SECONDS ?= 20
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS := $(FUZZERS:%=$(BUILD)/tests/fuzz/%)
NETPROBE := $(BUILD)/tests/lib/netprobe
FLOOD := $(BUILD)/tests/lib/flood
FAULTS := $(BUILD)/tests/lib/faults.so
KERNELCHECK := $(BUILD)/tests/security/kernelcheck
TRAFFIC := $(BUILD)/tests/bench/traffic
FLOWLOG := $(BUILD)/tests/bench/flowlog
WATCH := $(BUILD)/tests/bench/watch
BENCH_BINS := $(TRAFFIC) $(FLOWLOG) $(WATCH) $(BUILD)/tests/bench/load $(BUILD)/tests/bench/compile
JUDGE := $(BUILD)/tests/conformance/judge
PROVE := BUILD=$(BUILD) prove --failures --comments --directives --timer --exec tests/run-one

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@);)

all: deps ## build build/vethwall (installs missing libraries when root)
	+@$(MAKE) --no-print-directory $(BUILD)/vethwall

$(BUILD)/vethwall: $(BUILD)/src/main.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LINK) $(LIBS)

define room
$(BUILD)/$(1).a: $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/main.c,$(wildcard src/$(1)/*.c)))
	$$(call say,AR)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

# Only this object knows the version, and is compiled again when that changes.
$(BUILD)/version.now: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@
FORCE:
$(BUILD)/src/base/version.%: BASE_FLAGS += -DVW_VERSION='"$(VERSION)"'
$(BUILD)/src/base/version.o: $(BUILD)/version.now

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/src/cli/assets.o: $(wildcard src/cli/*.css src/cli/*.js)

# What C tests share.
$(BUILD)/tests/lib.a: $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/lib/netprobe.c tests/lib/flood.c tests/lib/faults.c,$(wildcard tests/lib/*.c)))
	$(call say,AR)rm -f $@ && ar rcs $@ $^

# tests/unit/test_X.c -> BUILD/tests/unit/test_X
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/tests/lib.a $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/tests/lib.a $(LINK) $(LIBS) $(shell pkg-config --libs cmocka)

$(REPLAYS): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/replay.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/tests/fuzz/replay.o $(LINK) $(LIBS)
$(BUILD)/tests/fuzz/%.run: $(BUILD)/tests/fuzz/%.o $(ARCHIVES)
	$(call say,LD)$(CC) -fsanitize=fuzzer,address,undefined -o $@ $< $(LINK) $(LIBS)

# Static and without sanitizers: they run inside containers.
$(NETPROBE) $(FLOOD) $(TRAFFIC): $(BUILD)/%: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu17 -D_GNU_SOURCE $(CFLAGS) $(WARN) -static -o $@ $<

# Preloaded into whatever is built: without sanitizers.
$(FAULTS): $(BUILD)/%.so: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g $(WARN) -fno-builtin -fPIC -shared -o $@ $< -ldl

check: deps deps-test ## build and run all tests and checks, under the sanitizers
	+@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD) $(BUILD)/vethwall
	+@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/san SAN=address,undefined test-bins
	+@$(MAKE) --no-print-directory BUILD=$(BUILD)/san SAN=address,undefined test

test-bins: $(BUILD)/vethwall $(TEST_BINS) $(REPLAYS) $(NETPROBE) $(FLOOD) $(FAULTS) $(KERNELCHECK) $(JUDGE) $(FLOWLOG) $(WATCH)

test: test-bins ## run all tests on what BUILD and SAN say; T="FILE..." for some of them
	@$(PROVE) $(or $(T),$(LINT_SCRIPTS) $(TEST_BINS) $(filter-out $(LINT_SCRIPTS),$(TEST_SCRIPTS)))

# What is found stays in BUILD/fuzz; the corpus in tests/fuzz is only read.
fuzz: deps deps-test ## look for inputs that break a decoder, FUZZ_SECONDS (20) each; F="NAME..." for some (fuzz_NAME.c)
	+@$(MAKE) --no-print-directory -j$(JOBS) BUILD=$(BUILD)/fuzz CC=clang CFLAGS="-O1 -g" WARN= \
		SAN=fuzzer-no-link,address,undefined fuzz-bins
	@BUILD=$(BUILD)/fuzz tests/fuzz/fuzz.sh $(FUZZ_SECONDS) $(F)

fuzz-bins: $(FUZZERS:%=$(BUILD)/tests/fuzz/%.run)

soak: deps deps-test ## SOAK_MINUTES (30) of churn, then KILLS (100) kills: tests/security/test_churn.sh in full
	+@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/vethwall $(NETPROBE) $(KERNELCHECK)
	@SOAK_SECONDS=$$(($(SOAK_MINUTES) * 60)) KILLS=$(KILLS) $(PROVE) tests/security/test_churn.sh

check-security: deps deps-test ## the attempts to break it in their long forms, and their numbers
	+@$(MAKE) --no-print-directory -j$(JOBS) test-bins
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/security/summary

bench: deps deps-test deps-bench ## what it costs, beside the same without it (docs/performance.md); B="PART..." for some
	+@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/vethwall $(NETPROBE) $(FLOOD) $(BENCH_BINS)
	@BUILD=$(BUILD) tests/bench/bench.sh $(B)

demo: deps deps-demo ## a real Docker Engine in a namespace, four services, the agent, and what passes
	+@$(MAKE) --no-print-directory -j$(JOBS) $(BUILD)/vethwall $(NETPROBE)
	@BUILD=$(BUILD) contrib/demo/demo.sh

lint: $(ARCHIVES) ## layers, licences, formats, clang-tidy, cppcheck, shellcheck, man pages
	@$(PROVE) $(LINT_SCRIPTS)

tidy: $(patsubst %.c,$(BUILD)/%.tidy,$(SOURCES))
analyze: $(patsubst %.c,$(BUILD)/%.analyze,$(SOURCES)) ## clang's path analysis, which takes minutes
$(BUILD)/%.tidy $(BUILD)/%.analyze: %.c .clang-tidy $(HEADERS)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $(if $(filter %.tidy,$@),--checks='-clang-analyzer-*') $< \
		-- $(BASE_FLAGS) $(PKG_CFLAGS) 2>/dev/null && touch $@

format: ## rewrite the sources in the house's layout
	clang-format -i $(SOURCES) $(HEADERS) $(TEST_SOURCES)

format-check: ## fail where format would change something
	@clang-format --dry-run -Werror $(SOURCES) $(HEADERS) $(TEST_SOURCES)

install: $(BUILD)/vethwall ## to PREFIX (/usr/local) below DESTDIR
	install -D -m 755 $(BUILD)/vethwall $(DESTDIR)$(PREFIX)/sbin/vethwall
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/man/vethwall.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/man/vethwall-policy.5
	install -D -m 644 contrib/vethwall.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/vethwall
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PREFIX)/share/doc/vethwall
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' contrib/vethwall.service >$(DESTDIR)$(UNITDIR)/vethwall.service
	cp -R policies README.md $(DESTDIR)$(PREFIX)/share/doc/vethwall/
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/vethwall/policies
	[ -e $(DESTDIR)$(SYSCONFDIR)/vethwall/vethwall.yaml ] || \
		install -m 644 contrib/vethwall.yaml $(DESTDIR)$(SYSCONFDIR)/vethwall/vethwall.yaml

uninstall: ## what install brought; settings, policies and logs stay
	rm -f $(DESTDIR)$(PREFIX)/sbin/vethwall $(DESTDIR)$(PREFIX)/share/man/man8/vethwall.8 \
		$(DESTDIR)$(PREFIX)/share/man/man5/vethwall-policy.5 $(DESTDIR)$(UNITDIR)/vethwall.service \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vethwall
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/vethwall

deps: ## Debian packages that building needs
	@contrib/deps.sh $(DEPS)
deps-demo:
	@contrib/deps.sh $(DEPS_DEMO)
deps-test: ## Debian packages that the tests need
	@contrib/deps.sh $(DEPS_TEST)
deps-bench:
	@contrib/deps.sh $(DEPS_BENCH)

clean: ## remove build/
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' Makefile

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all check check-security test-bins test fuzz fuzz-bins soak bench demo lint tidy analyze format format-check install uninstall deps deps-demo deps-bench \
	deps-test clean help
.PRECIOUS: $(BUILD)/%.o
