all:
	@test -d build || meson setup build >/dev/null
	@meson compile -C build
