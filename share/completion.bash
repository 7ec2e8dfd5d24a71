# bash completion for teecee(1). The commands and options are those that teecee itself tells, so that there is no
# second list of them.
# shellcheck shell=bash disable=SC2207

_teecee_commands() { "$1" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p'; }
_teecee_options() { "$1" "$2" --help 2>/dev/null | grep -oE '(^| |\[|,)--?[a-z][a-z-]*' | tr -d ' [,'; }

# _teecee_values OPTION: what may stand behind it; status 1: it takes no value that is known.
_teecee_values()
{
	case $1 in
	-i | --iface) ls /sys/class/net ;;
	--link) echo auto packet pcap tap ;;
	--mac) echo own nic ;;
	--probe) echo fast rfc ;;
	--loopback) echo auto stack host ;;
	--ip) echo auto ;;
	*) return 1 ;;
	esac
}

_teecee()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} teecee=${COMP_WORDS[0]} values i
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W "$(_teecee_commands "$teecee") --help --version" -- "$word"))
		return
	fi
	# Behind the program of `teecee run` it is the program's turn.
	if [ "${COMP_WORDS[1]}" = run ]; then
		for ((i = 2; i < COMP_CWORD; i++)); do
			[ "${COMP_WORDS[i]}" = -- ] || continue
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			elif [ "$COMP_CWORD" = $((i + 1)) ]; then
				COMPREPLY=($(compgen -c -- "$word"))
			else
				COMPREPLY=($(compgen -f -- "$word"))
			fi
			return
		done
	fi
	if values=$(_teecee_values "$before"); then
		COMPREPLY=($(compgen -W "$values" -- "$word"))
		return
	fi
	case $before in
	-p | --pcap | --trace | --keep | --engine | -o | --output) COMPREPLY=($(compgen -f -- "$word")) && return ;;
	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "$(_teecee_options "$teecee" "${COMP_WORDS[1]}") --" -- "$word")) ;;
	*)
		case ${COMP_WORDS[1]} in
		impair) COMPREPLY=($(compgen -W "show clear" -- "$word")) ;;
		nat) COMPREPLY=($(compgen -W "up down status" -- "$word")) ;;
		run) COMPREPLY=($(compgen -c -- "$word")) ;;
		*) COMPREPLY=($(compgen -f -- "$word")) ;;
		esac
		;;
	esac
}

complete -F _teecee teecee
