# SPDX-License-Identifier: Apache-2.0
# The one entry. Outputs go to build/ only; nothing but `deps` uses the network. Rules work by wildcard:
#   bpf/F.bpf.c               build/bpf/F.bpf.o and build/skel/F.skel.h (struct F_bpf)
#   user/ROOM/*.c             build/libsonde.a; with user/main.c build/sonde
#   user/export/proto/*.proto build/proto/*.pb-c.{c,h}, part of build/libsonde.a
#   tests/unit/ROOM/test_*.c  one program each, under ASan and UBSan; other files beside them are linked
#                             into all tests of that room, files in tests/unit/ into all tests
#   tests/fuzz/fuzz_N.c       one libFuzzer program each; other files beside them are linked into all
#   tests/DIR/P.c             build/tests/P for DIR bench, bpf, e2e and vm, also from DIR/programs/;
#                             P.bpf.c beside them like bpf/
#   DIR/run, tests/vm/check-kernels  programs that print TAP; see tests/run

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

CC := gcc
AR := ar
CLANG := clang
LLVM_STRIP := llvm-strip
# sbin is not in everybody's PATH.
BPFTOOL := $(or $(shell command -v bpftool),/usr/sbin/bpftool)
PREFIX := /usr/local
DESTDIR :=
JOBS := $(shell nproc)
SUITES := unit layout fuzz golden bpf e2e kernels
SECONDS := 60
B := build

machine := $(shell uname -m)
ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(machine)))

# A clone of somebody else's is as good as ours, and an archive without history has a version too.
version := $(or $(shell git -c safe.directory='*' describe --tags --match 'v[0-9]*' 2>/dev/null),0.1.0)

# -- what there is ---------------------------------------------------------------------------------

bpf_sources := $(wildcard bpf/*.bpf.c)
tool_dirs := $(foreach d,bench bpf e2e vm,tests/$d tests/$d/programs)
tool_and_bpf_sources := $(wildcard $(tool_dirs:%=%/*.c))
traffic_programs := $(patsubst %.c,$B/tests/%,$(notdir $(wildcard tests/e2e/programs/*.c)))
test_bpf_sources := $(filter %.bpf.c,$(tool_and_bpf_sources))
skeletons := $(patsubst %.bpf.c,$B/skel/%.skel.h,$(notdir $(bpf_sources)))
test_skeletons := $(patsubst %.bpf.c,$B/skel/%.skel.h,$(notdir $(test_bpf_sources)))
lib_sources := $(wildcard user/*/*.c)
proto_names := $(patsubst user/export/proto/%.proto,%,$(wildcard user/export/proto/*.proto))
proto_headers := $(proto_names:%=$B/proto/%.pb-c.h)
unit_sources := $(wildcard tests/unit/*/test_*.c)
unit_support := $(wildcard tests/unit/*.c)
unit_helpers := $(filter-out $(unit_sources),$(wildcard tests/unit/*/*.c))
fuzz_sources := $(wildcard tests/fuzz/fuzz_*.c)
fuzz_support := $(filter-out $(fuzz_sources),$(wildcard tests/fuzz/*.c))
tool_sources := $(filter-out %.bpf.c,$(tool_and_bpf_sources))

unit_programs := $(unit_sources:%.c=$B/asan/%)
fuzz_programs := $(fuzz_sources:tests/fuzz/%.c=$B/fuzz/%)
tool_programs := $(patsubst %.c,$B/tests/%,$(notdir $(tool_sources)))

# -- flags -----------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Werror
includes := -Iheaders -Iuser -I$B/skel -I$B/proto
common := -std=gnu11 -g -D_GNU_SOURCE -MMD -MP $(includes)
hardening := -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2 \
	$(if $(filter x86,$(ARCH)),-fcf-protection)
hardening_link := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
# Snappy's C interface is C++ inside: its runtime as a shared library would be 1 MiB of an idle agent.
libraries := -lbpf -lelf -lz -lzstd -llz4 -Wl,-Bstatic -lsnappy -lstdc++ -Wl,-Bdynamic -lmicrohttpd -lnghttp2 -ljansson -lseccomp -lprotobuf-c -lcurl -lpthread -lm

# EXTRA_CFLAGS and EXTRA_LDFLAGS are for the command line.
cflags := $(common) $(warnings) -O2 $(hardening) $(EXTRA_CFLAGS)
asan := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
asan_cflags := $(common) $(warnings) -O1 $(asan) -Itests/unit $(EXTRA_CFLAGS)
# tests/unit/failing_alloc.h; calls in our own objects only, so cmocka and the sanitizers are left alone.
wrap := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=strndup
# Another compiler's idea of -Wconversion is not worth a second set of casts.
fuzz := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
fuzz_cflags := $(common) -Wall -Werror -O1 $(fuzz) $(EXTRA_CFLAGS)

# Debian keeps <asm/types.h> where clang does not look when the target is BPF.
asm_headers := /usr/include/$(machine)-linux-gnu
# v3 (32-bit registers and jumps) is understood from kernel 5.1 on. It also lets clang emit atomic
# instructions that return a value, which need 5.12: 5.10 refuses such a program.
BPF_CPU := v3
bpf_cflags := -g -O2 -std=gnu11 -target bpf -mcpu=$(BPF_CPU) -D__TARGET_ARCH_$(ARCH) -MMD -MP \
	-Ivmlinux/$(ARCH) -Iheaders -Ibpf -idirafter $(asm_headers) -Wall -Werror -fno-stack-protector

# -- packages --------------------------------------------------------------------------------------

build_packages := gcc g++ libc6-dev make git procps clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev \
	libmicrohttpd-dev libnghttp2-dev libjansson-dev libseccomp-dev protobuf-c-compiler libprotobuf-c-dev \
	libcurl4-openssl-dev libzstd-dev liblz4-dev libsnappy-dev
test_packages := libcmocka-dev libclang-rt-14-dev python3 nginx redis-server postgresql postgresql-contrib \
	dnsmasq-base unbound bind9 bind9-dnsutils dnsperf \
	python3-psycopg python3-psycopg2 memcached libmemcached-tools python3-pymemcache mariadb-server python3-pymysql python3-pip php-fpm \
	nghttp2-server nghttp2-client nghttp2-proxy python3-grpcio rabbitmq-server python3-pika python3-pymongo \
	openjdk-17-jdk-headless maven kcat python3-confluent-kafka python3-kafka \
	python3-websockets python3-jsonrpclib-pelix sysbench curl wrk apache2-utils openssl prometheus nodejs strace \
	libbpf-tools iproute2 iputils-ping nftables procps util-linux kmod cpio xz-utils \
	qemu-system-x86 busybox-static debian-archive-keyring clang-format clang-tidy shellcheck \
	$(if $(shell command -v npm),,npm) # Node's own packages bring it, Debian's does not

# -- targets people type ---------------------------------------------------------------------------

.PHONY: all run check lint format bench fuzz check-kernels install clean deps build-deps help

all: $B/sonde ## build build/sonde

run: build-deps ## install what the build needs, build, and run the agent, with a live view on a terminal (root)
	+@$(MAKE) --no-print-directory -j$(JOBS) all
	@deploy/run-live $B/sonde $(ARGS)

check: deps ## build and run all tests; SUITES="unit layout fuzz golden bpf e2e kernels" chooses
	+@$(MAKE) --no-print-directory -j$(JOBS) $(SUITES:%=built-for-%)
	@SONDE=$(abspath $B/sonde) BPFTOOL=$(BPFTOOL) tests/run $(SUITES)

lint: ## formatting, who may include whom, names, shell scripts; TIDY=1: clang-tidy too
	@BPFTOOL=$(BPFTOOL) TIDY=$(TIDY) tests/lint/run

format: ## let clang-format rewrite our C files
	$(Q)tests/lint/format --fix

bench: built-for-bench ## cost per event and per request, with and without sonde (root)
	@if [ -x tests/bench/run ]; then SONDE=$(abspath $B/sonde) exec tests/bench/run $(ARGS); \
	else echo 'bench: tests/bench/run is not in the tree yet'; fi

fuzz: ## one fuzz target for some time: FUZZ=<name> SECONDS=60; without FUZZ: all, one after the other
	+@$(MAKE) --no-print-directory -j$(JOBS) $(if $(FUZZ),$B/fuzz/fuzz_$(FUZZ),built-for-fuzz)
	@tests/fuzz/run $(SECONDS) $(or $(FUZZ),$(fuzz_programs:$B/fuzz/fuzz_%=%))

check-kernels: deps ## the end-to-end tests in guests with kernels 5.10, 6.1, 6.12 and the newest
	+@$(MAKE) --no-print-directory check SUITES=kernels

install: all ## install below DESTDIR and PREFIX (/usr/local): the program and a systemd unit
	install -D -m 755 $B/sonde $(DESTDIR)$(PREFIX)/bin/sonde
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@BINDIR@|$(PREFIX)/bin|' deploy/sonde.service.in >$(DESTDIR)$(PREFIX)/lib/systemd/system/sonde.service

clean: ## remove build/
	rm -rf $B

deps: ## install the Debian packages that are missing, for building and for testing (root)
	@deploy/install-packages $(build_packages) $(test_packages)

build-deps:
	@deploy/install-packages $(build_packages)

help: ## this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: built-for-unit built-for-layout built-for-fuzz built-for-golden built-for-bpf built-for-e2e \
	built-for-kernels built-for-bench
built-for-unit: $(unit_programs) ; @:
built-for-layout: ; @:
built-for-fuzz: $(fuzz_programs) ; @:
built-for-golden: all ; @:
built-for-bpf: all $(tool_programs) ; @:
built-for-e2e built-for-kernels built-for-bench: all $(tool_programs) $B/tests/goroutines ; @:

# In Go. Where it cannot be built its tests are skipped, and say so.
$B/tests/goroutines: $(addprefix tests/e2e/goroutines/,go.mod go.sum main.go)
	$(say) GO $@
	$(Q)tests/e2e/fetch-go.sh goroutines && cp "$${SONDE_CACHE:-.cache/vm}/goroutines/goroutines" $@ || true

# -- BPF -------------------------------------------------------------------------------------------

# Debug sections go, BTF stays.
$B/%.bpf.o: %.bpf.c Makefile
	$(say) BPF $<
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) -MF $(@:.o=.d) -MT $@ -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@

.SECONDARY: $(patsubst %.c,$B/%.o,$(bpf_sources) $(test_bpf_sources))

# Generated code is exempt from our warnings.
define skeleton
$(say) SKEL $@
@mkdir -p $(@D)
$(Q){ echo '#pragma GCC system_header'; $(BPFTOOL) gen skeleton $< name $*_bpf; } >$@
endef

$B/skel/%.skel.h: $B/bpf/%.bpf.o
	$(skeleton)
$(foreach d,$(tool_dirs),$(eval $B/skel/%.skel.h: $B/$d/%.bpf.o ; $$(skeleton)))

# -- protobuf --------------------------------------------------------------------------------------

$B/proto/%.pb-c.c $B/proto/%.pb-c.h &: user/export/proto/%.proto
	$(say) PROTO $<
	@mkdir -p $(@D)
	$(Q)protoc-c -Iuser/export/proto --c_out=$B/proto $<

# -- user side -------------------------------------------------------------------------------------

# A new commit changes the version: only the files that say it are compiled again.
version_users := $(shell grep -ls SONDE_VERSION user/*.c user/*/*.c)
$B/version: FORCE
	@mkdir -p $(@D)
	@echo '$(version)' | cmp -s - $@ || echo '$(version)' >$@
.PHONY: FORCE

# $1: directory of the objects, $2: compiler, $3: flags
define user_objects
$1/%.o: %.c Makefile
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(Q)$2 $3 $$(version_flag) -c $$< -o $$@

# The first build needs the skeletons before dependencies are known; user/load alone includes them.
$(patsubst %.c,$1/%.o,$(filter user/load/%,$(lib_sources))): | $(skeletons)
$(patsubst %.c,$1/%.o,$(filter user/export/% user/published/%,$(lib_sources))): | $(proto_headers)
$(patsubst %.c,$1/%.o,$(version_users)): $B/version
$(patsubst %.c,$1/%.o,$(version_users)): private version_flag = -DSONDE_VERSION='"$(version)"'

# Generated: none of our warnings.
$1/proto/%.pb-c.o: $B/proto/%.pb-c.c | $(proto_headers)
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(Q)$2 $3 -w -c $$< -o $$@

$1/libsonde.a: $(lib_sources:%.c=$1/%.o) $(proto_names:%=$1/proto/%.pb-c.o)
	$$(say) AR $$@
	@rm -f $$@
	$$(Q)$(AR) rcs $$@ $$^
endef
$(eval $(call user_objects,$B,$(CC),$(cflags)))
$(eval $(call user_objects,$B/asan,$(CC),$(asan_cflags)))
$(eval $(call user_objects,$B/fuzz,$(CLANG),$(fuzz_cflags) -fsanitize=fuzzer-no-link))

$B/sonde: $B/user/main.o $B/libsonde.a
	$(say) LD $@
	$(Q)$(CC) $(hardening_link) $(EXTRA_LDFLAGS) $^ $(libraries) -o $@

# -- tests -----------------------------------------------------------------------------------------

$(patsubst %.c,$B/%.o,$(tool_sources)): | $(skeletons) $(test_skeletons) $(proto_headers)
$(patsubst %.c,$B/asan/%.o,$(unit_sources)) $(patsubst %.c,$B/fuzz/%.o,$(fuzz_sources)): | $(proto_headers)
$(foreach source,$(tool_sources),$(eval \
	$B/tests/$(notdir $(source:.c=)): $(source:%.c=$B/%.o)))
$(filter-out $(traffic_programs),$(tool_programs)): $B/libsonde.a
	$(say) LD $@
	$(Q)$(CC) $(hardening_link) $(EXTRA_LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(libraries) -o $@

# Static: they make exactly the system calls that they count, and a dynamic linker makes failing ones of its own.
$(traffic_programs):
	$(say) LD $@
	$(Q)$(CC) -static $(EXTRA_LDFLAGS) $(filter %.o,$^) -pthread -o $@

# Helpers come before the library, so that a stand-in of the same name wins.
$(foreach room,$(sort $(dir $(unit_sources))),$(eval \
	$(patsubst %.c,$B/asan/%,$(filter $(room)%,$(unit_sources))): \
	$(patsubst %.c,$B/asan/%.o,$(filter $(room)%,$(unit_helpers)))))
$(unit_programs): $B/asan/%: $B/asan/%.o $(unit_support:%.c=$B/asan/%.o) $B/asan/libsonde.a
	$(say) LD $@
	$(Q)$(CC) $(asan) $(wrap) $(EXTRA_LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(libraries) -lcmocka -o $@

$(fuzz_programs): $B/fuzz/%: $B/fuzz/tests/fuzz/%.o $(fuzz_support:%.c=$B/fuzz/%.o) $B/fuzz/libsonde.a
	$(say) LD $@
	$(Q)$(CLANG) $(fuzz) -fsanitize=fuzzer $(EXTRA_LDFLAGS) $^ $(libraries) -o $@

-include $(patsubst %.bpf.c,$B/%.bpf.d,$(bpf_sources) $(test_bpf_sources))
-include $(foreach d,$B $B/asan $B/fuzz,$(patsubst %.c,$d/%.d,$(lib_sources) user/main.c))
-include $(patsubst %.c,$B/%.d,$(tool_sources))
-include $(patsubst %.c,$B/asan/%.d,$(unit_sources) $(unit_support) $(unit_helpers))
-include $(patsubst %.c,$B/fuzz/%.d,$(fuzz_sources) $(fuzz_support))
