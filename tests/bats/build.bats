# The build itself: an installation works from where it is put, the checks of `make lint` see what they are for.
bats_require_minimum_version 1.5.0

setup()
{
	load common
	LAN_DIR=$BATS_TEST_TMPDIR
	cd "$LAN_TOP"
}

@test "an installed copy works from its place, and uninstall leaves nothing" {
	local dest=$BATS_TEST_TMPDIR/dest
	unset MAKEFLAGS MODE
	run make -s install DESTDIR="$dest" PREFIX=/usr
	assert_success
	lan_up
	nginx_up
	run --separate-stderr in_client "$dest/usr/bin/teecee" run -i va --ip "$LAN_FAKE/24" -- wget -qO- "$LAN_URL/"
	assert_success
	assert_equal "$output" "$(cat "$LAN_DIR/www/index.html")"
	assert [ "/proc/$(engine_pid)/exe" -ef "$dest/usr/libexec/teecee/teecee-engine" ]
	lan_down
	make -s uninstall DESTDIR="$dest" PREFIX=/usr
	run find "$dest" -type f
	assert_output ""
}

@test "make deps without root prints one command and stops" {
	local empty=$BATS_TEST_TMPDIR/bin
	mkdir "$empty"
	ln -s "$(command -v id)" "$(command -v bash)" "$empty/"
	printf '#!/bin/sh\n' >"$empty/apt-get"
	chmod -R a+rx "$empty" "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
	cp tests/tools/deps "$empty/deps"
	sed -i 's|PATH=$PATH:/usr/sbin:/sbin ||' "$empty/deps"
	run setpriv --reuid 65534 --regid 65534 --clear-groups env PATH="$empty" bash "$empty/deps" need demo
	assert_failure 1
	assert_line --regexp '^sudo apt-get install .* gcc .* wget$'
}

@test "check-includes refuses what the table forbids" {
	local top=$BATS_TEST_TMPDIR/tree
	mkdir -p "$top/core/stack" "$top/core/link"
	echo '#include "core/base/addr.h"' >"$top/core/stack/a.c"
	run tests/tools/check-includes "$top"
	assert_success
	echo '#include "core/link/link.h"' >>"$top/core/stack/a.c"
	run tests/tools/check-includes "$top"
	assert_failure
	assert_output --partial 'core/stack/a.c:2: core/stack must not include core/link/link.h'
}

@test "check-purity refuses system calls and globals in the stack" {
	local o=$BATS_TEST_TMPDIR/obj source
	mkdir -p "$o/core/stack"
	compile() { gcc -O2 -fPIC -fno-common -c -o "$o/core/stack/a.o" -x c - <<<"$1"; }
	compile '#include <string.h>
		void f(char *p); void f(char *p) { memset(p, 0, 99999); }'
	run tests/tools/check-purity "$o"
	assert_success
	compile '#include <unistd.h>
		void f(void); void f(void) { getpid(); }'
	run tests/tools/check-purity "$o"
	assert_failure
	assert_output --partial 'calls getpid'
	for source in 'int counter;' 'int counter = 1;' 'int f(void); int f(void) { static int n; return n++; }'; do
		compile "$source"
		run tests/tools/check-purity "$o"
		assert_failure
		assert_output --partial 'writable data'
	done
}

@test "check-sizes refuses long files, long functions, trailing blanks and leftovers" {
	local top=$BATS_TEST_TMPDIR/tree body
	mkdir -p "$top/core"
	body=$(for i in $(seq 79); do echo '	x();'; done)
	printf 'void f(void)\n{\n%s\n}\n' "$body" >"$top/core/a.c"
	run tests/tools/check-sizes "$top"
	assert_success
	printf 'void f(void)\n{\n%s\n\ty();\n\ty();\n}\n' "$body" >"$top/core/a.c"
	run tests/tools/check-sizes "$top"
	assert_failure
	assert_output --partial 'function of 81 lines'
	seq 801 >"$top/core/a.c"
	run tests/tools/check-sizes "$top"
	assert_output --partial 'file of 801 lines'
	printf 'int a; \n/* TO''DO */\n' >"$top/core/a.c"
	run tests/tools/check-sizes "$top"
	assert_output --partial 'a.c:1: blanks'
	assert_output --partial 'a.c:2: finish it'
}

@test "a test program that dies or stops early counts as failed" {
	local dir=$BATS_TEST_TMPDIR
	count()
	{
		printf '%b' "$1" >"$dir/tap"
		bash -c 'eval "$(sed -n "/^count_tap()/,/^}/p;/^report()/,/^}/p" tests/run)"; passed=0 failed=0
			count_tap x "$0" "$1" >/dev/null; echo "$passed $failed"' "$2" "$dir/tap"
	}
	assert_equal "$(count '1..2\nok 1 a\nok 2 b\n' 0)" "2 0"
	assert_equal "$(count '1..2\nok 1 a\nnot ok 2 b\n' 1)" "1 1"
	assert_equal "$(count '1..2\nok 1 a\n' 139)" "1 1"
	assert_equal "$(count '1..2\nok 1 a\nok 2 b\n' 139)" "2 1"
	assert_equal "$(count '' 139)" "0 1"
}
