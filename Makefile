# libteecee: build/libteecee.so, build/teecee, build/teecee-engine. `make help` lists the targets.
#
# One directory is one archive; the include table of ARCHITECTURE.md decides who links whom.
# MODE=release (default) builds into build/, the others into build/MODE/.

MODE ?= release
B := build$(if $(filter-out release,$(MODE)),/$(MODE))
O := $(B)/obj

CC ?= gcc
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef -Wno-unused-parameter
WERROR := $(if $(CI),-Werror)
CPPFLAGS += -I. -D_GNU_SOURCE
CFLAGS_MODE_release := -O2 -g
CFLAGS_MODE_debug := -O0 -g3
CFLAGS_MODE_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CFLAGS_MODE_tsan := -O1 -g -fsanitize=thread
CFLAGS += -std=gnu11 -fPIC -fvisibility=hidden -fno-common $(WARN) $(WERROR) $(CFLAGS_MODE_$(MODE))
LDFLAGS += $(filter -fsanitize%,$(CFLAGS_MODE_$(MODE)))

PARTS := base wire stack link ipc host engine cli
src_of = $(sort $(wildcard $(1)/*.c))
obj_of = $(patsubst %.c,$(O)/%.o,$(call src_of,$(1)))
ar_of = $(O)/$(1).a

all: $(B)/libteecee.so $(B)/teecee $(B)/teecee-engine

define archive
$(call ar_of,$(1)): $(call obj_of,core/$(1))
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call archive,$(p))))

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

LIBS_CORE := -lpcap -lnet -lsodium -lcap
AR_HOST := $(foreach p,host stack link wire base,$(call ar_of,$(p)))
AR_ENGINE := $(call ar_of,engine) $(call ar_of,host) $(foreach p,stack link ipc wire base,$(call ar_of,$(p)))

$(B)/libteecee.so: $(call obj_of,preload) $(call ar_of,ipc) $(call ar_of,base) preload/exports.map
	$(CC) $(LDFLAGS) -shared -Wl,--version-script=preload/exports.map -Wl,-z,defs -Wl,-soname,libteecee.so -o $@ \
		$(filter %.o,$^) $(filter %.a,$^) -ldl

$(B)/teecee-engine: $(O)/core/engine/main.o $(AR_ENGINE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE)

$(B)/teecee: $(call obj_of,core/cli) $(AR_ENGINE)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE)

# tests/unit/test_x.c -> build/tests/unit/test_x
$(B)/tests/unit/%: $(O)/tests/unit/%.o $(AR_ENGINE)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE) -lcmocka

$(B)/examples/%: $(O)/examples/%.o $(AR_HOST)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_CORE)

clean:
	rm -rf build

.PHONY: all clean
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
