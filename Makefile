# SPDX-License-Identifier: GPL-2.0-or-later
# make help lists the targets. Objects go to build/ (build/SAN/ with SAN=address,undefined).
CC ?= gcc
PREFIX ?= /usr/local
SAN ?=
BUILD ?= build$(if $(SAN),/san)
PKGS := libnftnl libmnl jansson yaml-0.1 libpcap libcurl libmd
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wformat=2 \
	-Wundef -Wvla -Wno-missing-field-initializers
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ifneq ($(SAN),)
HARDEN := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -fPIE
endif
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu17 $(CFLAGS) $(WARN) $(if $(CI),-Werror) $(HARDEN) -Iinclude -Isrc -D_GNU_SOURCE \
	-DVW_VERSION='"$(VERSION)"' -DVW_SYSCONFDIR='"/etc/vethwall"' $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
ALL_LDFLAGS := $(LDFLAGS) -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)

ROOMS := base core codec io agent cli
ARCHIVES := $(ROOMS:%=$(BUILD)/%.a)
# Link order: what includes comes before what is included.
LINK := $(BUILD)/cli.a $(BUILD)/agent.a $(BUILD)/io.a $(BUILD)/codec.a $(BUILD)/core.a $(BUILD)/base.a

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@);)

all: $(BUILD)/vethwall

$(BUILD)/vethwall: $(BUILD)/src/main.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LINK) $(LIBS)

define room
$(BUILD)/$(1).a: $(patsubst %.c,$(BUILD)/%.o,$(filter-out src/main.c,$(wildcard src/$(1)/*.c)))
	$$(call say,AR)rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# tests/unit/test_X.c -> BUILD/tests/unit/test_X
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(ARCHIVES)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $< $(LINK) $(LIBS) $(shell pkg-config --libs cmocka 2>/dev/null)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all
.PRECIOUS: $(BUILD)/%.o
