# libteecee: build/libteecee.so, build/teecee, build/teecee-engine. `make help` lists the targets.
#
# One directory is one archive; the include table of ARCHITECTURE.md decides who links whom, and
# `make lint` holds the code to it. MODE=release (default) builds into build/, the others into build/MODE/.
# MODE=asan and MODE=tsan are for test programs and the engine: a sanitized library cannot be preloaded into
# a program that was not built for it.

MODE ?= release
ifeq ($(filter $(MODE),release debug asan tsan coverage),)
$(error MODE=$(MODE): it is release, debug, asan, tsan or coverage)
endif
B := build$(if $(filter-out release,$(MODE)),/$(MODE))
O := $(B)/obj

ifeq ($(origin CC),default)
CC := gcc
endif
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef -Wno-unused-parameter
WERROR := $(if $(CI),-Werror)
CPPFLAGS += -I. -D_GNU_SOURCE
CFLAGS_MODE_release := -O2 -g
CFLAGS_MODE_debug := -O0 -g3
CFLAGS_MODE_coverage := -O1 -g --coverage
CFLAGS_MODE_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_MODE_tsan := -O1 -g -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan)
CFLAGS += -std=gnu11 -fPIC -fvisibility=hidden -fno-common $(WARN) $(WERROR) $(CFLAGS_MODE_$(MODE))
LDFLAGS += $(filter -fsanitize% --coverage,$(CFLAGS_MODE_$(MODE)))

PARTS := base wire stack link ipc host engine report cli
src_of = $(sort $(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(O)/%.o,$(1))
bins = $(patsubst %.c,$(B)/%,$(1))
obj_of = $(call objs,$(call src_of,$(1)))
ar_of = $(O)/$(1).a

PROGRAMS := $(B)/libteecee.so $(B)/teecee $(B)/teecee-engine
all: $(PROGRAMS)

define archive
$(call ar_of,$(1)): $(2)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call archive,$(p),$(call obj_of,core/$(p)))))

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What .incbin takes in is no dependency that the compiler knows.
$(O)/core/report/page_parts.o: $(wildcard core/report/page/*)

LIBS_CURSES := $(or $(shell pkg-config --libs ncursesw 2>/dev/null),-lncursesw -ltinfo)
LIBS_CORE := -lpcap -lnet -lsodium -lcap -lcares
AR_HOST := $(foreach p,host stack link wire base,$(call ar_of,$(p)))
AR_ENGINE := $(call ar_of,engine) $(call ar_of,host) $(foreach p,stack link ipc wire base,$(call ar_of,$(p)))
LINK = @mkdir -p $(@D) && $(if $(V),set -x &&) $(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

$(B)/libteecee.so: $(call obj_of,preload) $(call ar_of,ipc) $(call ar_of,base) preload/exports.map
	$(LINK) -shared -Wl,--version-script=preload/exports.map -Wl,-z,defs -Wl,--wrap=syscall -Wl,-soname,libteecee.so -ldl

$(B)/teecee-engine: $(O)/core/engine/main.o $(AR_ENGINE)
	$(LINK) $(LIBS_CORE)

$(B)/teecee: $(call obj_of,core/cli) $(call ar_of,report) $(AR_ENGINE)
	$(LINK) $(LIBS_CORE) $(LIBS_CURSES)

# Tests. tests/{unit,sim}/test_x.c is one cmocka program each, the other files there are linked into all of
# them. tests/shim/facts/: cmocka, about the kernel alone. tests/shim/, tests/bench/, tests/tools/: plain
# programs, but for *_preload.c, which is preloaded into some. tests/tools/static_*.c are linked statically: programs
# that no preload can reach.
RIGS := unit sim
rig_src = $(filter-out tests/$(1)/test_%,$(call src_of,tests/$(1)))
$(foreach r,$(RIGS),$(eval $(call archive,tests-$(r),$(call objs,$(call rig_src,$(r))))))

CMOCKA_SRC := $(sort $(wildcard $(RIGS:%=tests/%/test_*.c))) $(call src_of,tests/shim/facts)
CMOCKA_BIN := $(call bins,$(CMOCKA_SRC))
SANITIZED := $(filter asan tsan,$(MODE))
PLAIN_DIRS := tests/shim $(if $(SANITIZED),,tests/bench tests/tools examples)
PLAIN_BIN := $(patsubst %_preload,%_preload.so,$(call bins,$(foreach d,$(PLAIN_DIRS),$(call src_of,$(d)))))
FUZZ_SRC := $(filter-out tests/fuzz/replay.c,$(call src_of,tests/fuzz))
REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/replay_%,$(FUZZ_SRC))
tests: $(CMOCKA_BIN) $(PLAIN_BIN) $(REPLAY_BIN) $(B)/tests/packetdrill/play \
	$(if $(SANITIZED),$(B)/tests/tools/wire,$(B)/packetdrill-teecee.so)

$(B)/tests/unit/%: $(O)/tests/unit/%.o $(O)/tests-unit.a $(call ar_of,report) $(AR_ENGINE)
	$(LINK) $(LIBS_CORE) -lcmocka
$(B)/tests/sim/%: $(O)/tests/sim/%.o $(O)/tests-sim.a $(AR_ENGINE)
	$(LINK) $(LIBS_CORE) -lcmocka
$(B)/tests/shim/facts/%: $(O)/tests/shim/facts/%.o
	$(LINK) -lcmocka
# Sanitized, they carry the shim in them: it takes over their calls without being preloaded.
# (Its own syscall() is not the program's: see preload/syscall.c.)
$(O)/preload-wrapped.o: $(call obj_of,preload)
	@$(LD) -r --wrap=syscall -o $@ $^
$(B)/tests/shim/%: $(O)/tests/shim/%.o $(if $(SANITIZED),$(O)/preload-wrapped.o) $(call ar_of,ipc) $(call ar_of,base)
	$(LINK)
$(B)/tests/bench/%: $(O)/tests/bench/%.o $(AR_ENGINE)
	$(LINK) $(LIBS_CORE)
$(B)/tests/bench/%.so: $(O)/tests/bench/%.o
	$(LINK) -shared -Wl,-z,defs
$(B)/tests/tools/static_%: $(O)/tests/tools/static_%.o
	$(LINK) -static
$(B)/tests/tools/%: $(O)/tests/tools/%.o $(foreach p,link ipc wire base,$(call ar_of,$(p)))
	$(LINK) -lpcap
$(B)/tests/fuzz/replay_%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(call ar_of,report) $(AR_ENGINE)
	$(LINK) $(LIBS_CORE)
# packetdrill's plugin (packetdrill --so_filename), and our own player of scripts in the same spirit.
PD := tests/packetdrill
PD_COMMON := $(call objs,$(filter-out $(PD)/adapter%.c $(PD)/play%.c,$(call src_of,$(PD))) \
	core/engine/tcp_info.c core/engine/stack_option.c) $(foreach p,stack link ipc wire base,$(call ar_of,$(p)))
$(B)/packetdrill-teecee.so: $(call objs,$(filter $(PD)/adapter%.c,$(call src_of,$(PD)))) $(PD_COMMON)
	$(LINK) -shared -Wl,-Bsymbolic -Wl,-z,defs -lpthread -lsodium
$(B)/tests/packetdrill/play: $(call objs,$(filter $(PD)/play%.c,$(call src_of,$(PD)))) $(PD_COMMON)
	$(LINK) -lsodium

$(B)/examples/%: $(O)/examples/%.o $(AR_HOST)
	$(LINK) $(LIBS_CORE)

# What a person asks for. The ones that need more than make and git install it first (as root, with apt).
deps deps-bench deps-compat deps-report:
	@tests/tools/deps install $(patsubst deps,test,$(@:deps-%=%))
need-%:
	@tests/tools/deps need $*

demo: need-demo
	@+$(MAKE) -s --no-print-directory $(PROGRAMS) $(addprefix $(B)/tests/tools/,capture conversation)
	@examples/demo

test: need-test
	@+$(MAKE) --no-print-directory all tests $(if $(SANITIZED),release-programs)
	@MODE=$(MODE) tests/run
release-programs:
	@+$(MAKE) --no-print-directory MODE=release all tests

# The kernel's stack and ours at the same work, in turns: docs/performance.md. QUICK=1: a minute instead of nine; ONLY=up,rr1:
# these rows; REPS=9: more pairs; FLOOR=1: what the AF_UNIX hop alone costs, too; SAVE=1: later runs compare with this
# one. Root, where user namespaces are not allowed.
bench: need-bench
	@+$(MAKE) -s --no-print-directory all $(addprefix $(B)/tests/bench/,talk patch hop hop_preload.so)
	@tests/bench/run $(if $(QUICK),--quick) $(if $(FLOOR),--floor) $(if $(SAVE),--save) \
		$(if $(REPS),--reps $(REPS)) $(ONLY)

# The page of `teecee report` in headless Chromium, of a download of 1 GiB. Two minutes, 3 GB of $TMPDIR.
test-report: need-report
	@+$(MAKE) -s --no-print-directory all tests
	@tests/run tests/report/browser.bats

# Very many connections: memory, idle load, cost per connection and byte, stalled readers. Needs an fd limit of 15,100.
bench-scale: need-bench
	@+$(MAKE) -s --no-print-directory all $(addprefix $(B)/tests/bench/,talk crowd)
	@tests/bench/run --scale $(REPS)

# Some seventy of Debian's programs under the shim; writes docs/compatibility.md. Root, ten minutes.
compat: need-compat
	@+$(MAKE) -s --no-print-directory all $(B)/tests/tools/noise
	@tests/compat/run

# Python's own tests of sockets, on the kernel and under the shim. Root, eight minutes.
compat-python: need-compat
	@+$(MAKE) -s --no-print-directory all
	@tests/compat/python

lint: need-build
	@+$(MAKE) -s --no-print-directory $(foreach p,stack wire base,$(call ar_of,$(p)))
	@+$(if $(wildcard preload/exports.map),$(MAKE) -s --no-print-directory $(B)/libteecee.so)
	@tests/tools/lint $(O)

# Each fuzz target for FUZZ_SECONDS with clang's libFuzzer; `make test` only replays the corpora.
FUZZ_SECONDS ?= 30
FUZZ_FLAGS := -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzz: need-fuzz
	@tests/tools/fuzz $(FUZZ_SECONDS) "clang -std=gnu11 $(CPPFLAGS) $(FUZZ_FLAGS)" $(FUZZ_SRC)

# Lines of core/stack that unit tests, simulator, scripts and fuzz corpora never run; docs/rfc.md explains them.
coverage:
	@+$(MAKE) -s --no-print-directory MODE=coverage tests
	@tests/tools/coverage build/coverage

PREFIX ?= /usr/local
BINDIR = $(DESTDIR)$(PREFIX)/bin
LIBDIR = $(DESTDIR)$(PREFIX)/lib
ENGINEDIR = $(DESTDIR)$(PREFIX)/libexec/teecee
MANDIR = $(DESTDIR)$(PREFIX)/share/man
BATSDIR = $(DESTDIR)$(PREFIX)/share/teecee
COMPLETIONDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
MAN := $(wildcard man/*.[1-8])
install: all
	install -d $(BINDIR) $(LIBDIR) $(ENGINEDIR)
	install -m 755 $(B)/teecee $(BINDIR)/teecee
	install -m 755 $(B)/libteecee.so $(LIBDIR)/libteecee.so
	install -m 755 $(B)/teecee-engine $(ENGINEDIR)/teecee-engine
	install -D -m 644 share/teecee.bash $(BATSDIR)/teecee.bash
	install -D -m 644 share/completion.bash $(COMPLETIONDIR)/teecee
	$(foreach m,$(MAN),install -D -m 644 $(m) $(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m));)
uninstall:
	rm -f $(BINDIR)/teecee $(LIBDIR)/libteecee.so $(ENGINEDIR)/teecee-engine
	$(foreach m,$(MAN),rm -f $(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m));)
	rm -f $(BATSDIR)/teecee.bash $(COMPLETIONDIR)/teecee
	rmdir $(ENGINEDIR) $(BATSDIR) 2>/dev/null || true

clean:
	rm -rf build

help:
	@echo "make                    build/libteecee.so, build/teecee, build/teecee-engine"
	@echo "make demo               wget from a spoofed address on a private LAN, packet by packet"
	@echo "make test               everything that can be checked here; the last line counts"
	@echo "make test-report        the page of teecee report in Chromium"
	@echo "make compat             real programs under the library, as clients and servers; docs/compatibility.md"
	@echo "make bench              the kernel's stack and ours at the same work; QUICK=1 ONLY=up,rr1 REPS=9 FLOOR=1 SAVE=1"
	@echo "make bench-scale        10,000 connections: what each costs; 1,000 readers that do not read"
	@echo "make compat-python      Python's own tests of sockets, on the kernel's stack and on ours"
	@echo "make lint               include table, purity of the stack, exports, sizes, cppcheck"
	@echo "make fuzz               each fuzzer for FUZZ_SECONDS=$(FUZZ_SECONDS)"
	@echo "make deps               installs what build, demo and test need (Debian, as root)"
	@echo "make deps-bench         the heavier packages of benchmarks; deps-compat, deps-report: of these two"
	@echo "make install uninstall  PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make clean"
	@echo "MODE=release|debug|asan|tsan   CC=gcc|clang   CI=1: warnings are errors   V=1: show link commands"

.PHONY: all tests deps deps-bench deps-compat deps-report demo test test-report bench bench-scale compat release-programs lint fuzz coverage install uninstall clean help
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
