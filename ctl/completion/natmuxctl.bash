# SPDX-License-Identifier: Apache-2.0
# bash completion for natmuxctl: commands, their options, classes, files.

# Index of the command in COMP_WORDS, or nothing while it is still to come.
_natmuxctl_command() {
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-s | --socket) ((i++)) ;;
		-*) ;;
		*) echo "$i"; return ;;
		esac
	done
}

# The words after the last comma; what stands before it is kept.
_natmuxctl_list() {
	local prefix=

	[[ $1 == *,* ]] && prefix=${1%,*},
	mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$2" -- "${1##*,}")
	compopt -o nospace 2>/dev/null
}

_natmuxctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at command words
	local commands="status flows stats drops servers aliases events metrics reload capture
		version doctor help"

	COMPREPLY=()
	at=$(_natmuxctl_command)
	if [[ -z $at ]]; then
		case $before in
		-s | --socket) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
		esac
		words=$commands
		[[ $word == -* ]] && words="--socket --json --help --version"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi
	command=${COMP_WORDS[at]}
	case $command,$before in
	capture,--class | capture,-C)
		_natmuxctl_list "$word" "ike esp stun keepalive runt all"
		return ;;
	capture,--direction | capture,-d)
		mapfile -t COMPREPLY < <(compgen -W "in out both" -- "$word")
		return ;;
	capture,--write | capture,-w)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	doctor,--tun | doctor,-t)
		mapfile -t COMPREPLY < <(compgen -W "natmux0" -- "$word")
		return ;;
	capture,--count | capture,-c | capture,--snaplen | capture,-S | flows,--limit | flows,-n | \
		doctor,--port | doctor,-p | stats,--watch | stats,-w)
		return ;;
	esac
	case $command in
	flows) words="--limit" ;;
	stats) words="--watch" ;;
	drops) words="--all" ;;
	events) words="--follow" ;;
	capture) words="--class --direction --count --snaplen --write" ;;
	doctor) words="--port --tun" ;;
	help) [[ $at == $((COMP_CWORD - 1)) ]] && words=$commands ;;
	esac
	[[ $command == help ]] || words+=" --help"
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _natmuxctl natmuxctl
