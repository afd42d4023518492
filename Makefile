# SPDX-License-Identifier: MIT
# For hands that type `make`: ./dev does the work, meson and ninja the building.
all:
	@./dev build
run test check bench fuzz san fmt:
	@./dev $@
install: all
	@meson install -C build
clean:
	rm -rf build build-*
help:
	@./dev help
.PHONY: all run test check bench fuzz san fmt install clean help
