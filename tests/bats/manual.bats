# What the pages, --help and the completion say is what the code does.

setup() { load common; }

variables() { grep -oE '"TEECEE_[A-Z_]+"' "$LAN_TOP/core/ipc/settings.c" | tr -d '"' | sort -u; }
commands() { "$LAN_TEECEE" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'; }
# A page as plain text: no escapes, no macros at the beginnings of lines.
plain() { sed -E 's/^\.[A-Z]+ //; s/\\f[A-Z]//g; s/\\-/-/g; s/" ?"//g; s/"//g' "$1"; }
# What stands for a variable is described with it, in libteecee(7).
is_of_a_variable()
{
	local name=${1#--}
	name=TEECEE_${name^^}
	variables | grep -qx "${name//-/_}"
}
# The page of a command: its own, or everybody's.
page_of() { ls "$LAN_TOP/man/teecee-$1".[18] 2>/dev/null || echo "$LAN_TOP/man/teecee.1"; }

@test "libteecee(7) has every variable of the code, and no other; so has the README" {
	local n
	n=$(variables | wc -l)
	[ "$n" -ge 18 ]
	diff <(variables) <(sed -nE 's/^\.B (TEECEE_[A-Z_]+)$/\1/p' "$LAN_TOP/man/libteecee.7" | sort -u)
	diff <(variables) <(sed -nE 's/^\| `(TEECEE_[A-Z_]+)`.*/\1/p' "$LAN_TOP/README.md" | sort -u)
	# The library and the engine read no other.
	run bash -c "grep -rhoE 'getenv\(\"[A-Z_]+\"\)' '$LAN_TOP/preload' '$LAN_TOP/core/engine' | sort -u"
	assert_output 'getenv("NO_COLOR")'
}

@test "every variable has its option in teecee run, under its name" {
	local v option
	run "$LAN_TEECEE" run --help
	for v in $(variables); do
		option=${v#TEECEE_}
		option=${option,,}
		assert_line --regexp "^ .*--${option//_/-} [A-Z]"
	done
}

@test "every command has its place in a page, and every option of its --help" {
	local c option page
	[ "$(commands | wc -l)" -ge 6 ]
	for c in $(commands); do
		page=$(page_of "$c")
		plain "$page" | grep -q "teecee $c" || fail "$page does not have teecee $c"
		for option in $("$LAN_TEECEE" "$c" --help | grep -oE '(^| |\[)--[a-z][a-z-]*' | tr -d ' ['); do
			plain "$page" | grep -qE -- "(^|[ ,])$option([ ,;:=]|\$)" ||
				plain "$LAN_TOP/man/teecee.1" | grep -qE -- "(^|[ ,])$option([ ,;:=]|\$)" ||
				is_of_a_variable "$option" ||
				fail "$page does not have $option of teecee $c"
		done
	done
}

@test "every word of impairment is in its page" {
	local word n=0
	while read -r word; do
		plain "$LAN_TOP/man/teecee-impair.5" | grep -qF -- "$word" || fail "not there: $word"
		n=$((n + 1))
	done < <("$LAN_TEECEE" impair --help | sed -nE 's/^  ([a-z-]+[=@]).*/\1/p')
	[ "$n" -ge 18 ]
}

@test "the pages are formatted without a warning" {
	local page
	for page in "$LAN_TOP"/man/*.[1-8]; do
		run groff -K utf8 -T utf8 -man -ww -z "$page"
		assert_success
		assert_output ''
	done
}

# complete WORD…: what completion offers for the last word.
complete_words()
{
	bash -c '. "$0/share/completion.bash"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_teecee
		printf "%s\n" "${COMPREPLY[@]}"' "$LAN_TOP" "$LAN_TEECEE" "$@" | sort
}

@test "completion offers the commands, each command's options, and values" {
	local c
	diff <({ commands && printf '%s\n' --help --version; } | sort) <(complete_words '')
	for c in $(commands); do
		diff <("$LAN_TEECEE" "$c" --help | grep -oE '(^| |\[)--[a-z][a-z-]*' | tr -d ' [' | sort -u) \
			<(complete_words "$c" -- | grep -x -- '--..*' | sort -u)
	done
	run complete_words run --vary
	assert_output -- --vary-seed
	run complete_words run --mac ''
	assert_output $'nic\nown'
	run complete_words run -i l
	assert_line lo
	run complete_words impair cl
	assert_output clear
	run complete_words run -- setpri
	assert_line setpriv
}

@test "installed: the pages, the completion and the helper; and uninstalled" {
	local root=$BATS_TEST_TMPDIR f
	make -s -C "$LAN_TOP" install PREFIX=/usr DESTDIR="$root" >/dev/null
	for f in man/man1/teecee.1 man/man7/libteecee.7 man/man5/teecee-impair.5 teecee/teecee.bash \
		bash-completion/completions/teecee; do
		[ -s "$root/usr/share/$f" ]
	done
	make -s -C "$LAN_TOP" uninstall PREFIX=/usr DESTDIR="$root" >/dev/null
	run find "$root" -type f
	assert_output ''
}
