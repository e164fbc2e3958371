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

# sa and policy: the words of ip-xfrm(8) and natmux.conf(5), and what some of them may be.
_natmuxctl_sa() {
	local command=$1 word=$2 before=$3 place=$4 words
	local sub=${COMP_WORDS[COMP_CWORD - place + 1]} suites="aes128gcm16 aes192gcm16 aes256gcm16
		aes128gcm12 aes192gcm12 aes256gcm12 aes128gcm8 aes192gcm8 aes256gcm8
		chacha20poly1305 aes128gmac aes192gmac aes256gmac aes128-sha1 aes192-sha1
		aes256-sha1 aes128-sha256 aes192-sha256 aes256-sha256 aes128-sha384 aes192-sha384
		aes256-sha384 aes128-sha512 aes192-sha512 aes256-sha512 null-sha1 null-sha256
		null-sha384 null-sha512"

	if ((place == 1)); then
		words="add del list flush --help"
		[[ $command == policy ]] || words+=" export move"
		# Options are taken before the word, too.
		[[ $command == sa && $word == --* ]] && words="--verbose --wireshark --yes --help"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi
	case $before in
	key-file)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	dir | direction) words="in out" ;;
	mode) words="tunnel transport" ;;
	suite) words=$suites ;;
	roam) words="yes port-only no" ;;
	esn | ecn | resync) words="yes no" ;;
	too-big) words="tell cut" ;;
	df) words="copy set clear" ;;
	action) words="protect bypass discard" ;;
	proto) words="tcp udp udplite sctp dccp icmp ipv6-icmp" ;;
	limit) words="byte-soft byte-hard packet-soft packet-hard time-soft time-hard" ;;
	spi | remote | local | reqid | src | dst | sport | dport | priority | replay-window | \
		dscp | tfc-pad | dummy | sequence | replay | mark | output-mark | if-id | offload | \
		*-soft | *-hard)
		return ;;
	*)
		case $command,$sub in
		sa,add) words="dir spi suite key-file mode local remote reqid esn replay-window
			roam limit df dscp ecn tfc-pad too-big dummy resync mark output-mark if-id
			offload sequence replay sel src dst proto sport dport" ;;
		sa,del | sa,flush) words="dir spi reqid remote" ;;
		sa,list) words="dir spi reqid remote --verbose" ;;
		sa,export) words="--wireshark --yes dir spi reqid remote" ;;
		sa,move) words="all user kernel" ;;
		policy,add) words="src dst proto sport dport priority action reqid mark if-id" ;;
		policy,del) words="src dst proto sport dport priority" ;;
		esac
		words+=" --help" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

_natmuxctl() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} at command words
	local commands="status flows stats drops servers aliases events sa policy metrics reload
		capture version doctor help"

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
	if [[ $command == sa || $command == policy ]]; then
		_natmuxctl_sa "$command" "$word" "$before" $((COMP_CWORD - at))
		return
	fi
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
