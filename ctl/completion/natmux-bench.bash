# SPDX-License-Identifier: Apache-2.0
# bash completion for natmux-bench. Scenarios and their options are what its --help lists.

_natmux_bench_scenarios() {
	"$1" --help 2>/dev/null | sed -n '/^scenarios:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_natmux_bench_options() {
	"$1" "$2" --help 2>/dev/null | grep -o -- '^ *--[a-z0-9-]*'
}

_natmux_bench() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local program=${COMP_WORDS[0]} words

	COMPREPLY=()
	case $before in
	--pcap | --save | --natmuxd | --library)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	--plane) words="user kernel" ;;
	--offloads) words="on off" ;;
	*)
		if ((COMP_CWORD == 1)); then
			words="$(_natmux_bench_scenarios "$program") --help --version"
		else
			words="$(_natmux_bench_options "$program" "${COMP_WORDS[1]}") --help"
		fi ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word" | sort -u)
}

complete -F _natmux_bench natmux-bench
