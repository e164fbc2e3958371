# SPDX-License-Identifier: Apache-2.0
# bash completion for natmuxd: options and the configuration file.

_natmuxd() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	case $before in
	-c | --config)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "--config --check --print --foreground --debug --version
		--help" -- "$word")
}

complete -F _natmuxd natmuxd
