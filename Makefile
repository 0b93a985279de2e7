# A short front for CMake: everything is built in build/release.
#
#   make            build the library and the tool       make bench      measure (bench/run BENCH_ARGS)
#   make demo       train the date translator            make install    PREFIX and DESTDIR honoured
#   make test       build and run all tests              make uninstall  remove what was installed
#   make format     lay out the sources                  make clean      remove build/
#   make help       this text

PREFIX ?= /usr/local
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
BUILD = build/release
CONFIGURE = cmake --preset release $(if $(CI),-DUNROLL_WERROR=ON) $(CMAKE_ARGS) >$(BUILD)/configure.log 2>&1 \
	|| { cat $(BUILD)/configure.log; exit 1; }

all: build

help:
	@sed -n 's/^#   /  /p' Makefile

bootstrap:
	@tools/bootstrap

configure:
	@mkdir -p $(BUILD)
	@$(CONFIGURE)

# Tests and examples are left to `make test`.
build: configure
	@env -u MAKEFLAGS -u MAKELEVEL cmake --build $(BUILD) -j$(JOBS) \
		--target unroll_shared unroll_static unroll_tool completions

demo: bootstrap
	@$(MAKE) --no-print-directory build
	@tools/demo

test: bootstrap
	@$(MAKE) --no-print-directory configure
	@env -u MAKEFLAGS -u MAKELEVEL cmake --build $(BUILD) -j$(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j2

bench: build
	@env -u MAKEFLAGS -u MAKELEVEL cmake --build $(BUILD) -j$(JOBS) --target bench
	@bench/run $(BENCH_ARGS)

install: build
	@cmake --install $(BUILD) --prefix $(PREFIX)

uninstall:
	@tools/uninstall $(BUILD)/install_manifest.txt

format:
	@tools/format

clean:
	rm -rf build

.PHONY: all help bootstrap configure build demo test bench install uninstall format clean
