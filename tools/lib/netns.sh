# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A network of namespaces: two sites behind NAT routers, and a public network between them.
# Sourced by tools/demo and the tests; needs root, iproute2 and nftables (or iptables-legacy).
#
#                  stun  203.0.113.100          client  203.0.113.200
#                  2001:db8::100 |              | 2001:db8::200
#       pub ─────────────────────┴──── br0 ─────┴─────────────────────────
#               │ 203.0.113.1                        │ 203.0.113.2
#               │ 2001:db8::1                        │ 2001:db8::2
#            nat-a  masquerade, ports moved       nat-b  masquerade; UDP 4500 → gw-b
#               │ 10.1.0.1                           │ 10.2.0.1
#               │ 2001:db8:1::1                      │ 2001:db8:2::1
#               │ 10.1.0.2                           │ 10.2.0.2
#             gw-a  natmuxd, charon                gw-b  natmuxd, charon
#               │ 192.168.1.1                        │ 192.168.2.1
#               │ 2001:db8:a1::1                     │ 2001:db8:a2::1
#            host-a 192.168.1.10                  host-b 192.168.2.10
#                   2001:db8:a1::10                      2001:db8:a2::10
#
# IPv6 is routed; the routers let answers in, and UDP 4500 towards gw-b. Interfaces are called
# "wan" and "lan" as seen from the box they are in. Gateways have strict reverse path filters.
#
# Every name carries the run's own id, so that runs do not meet; lab_down ends what runs in the
# run's own namespaces and nothing else.

LAB_ID=
LAB_DIR=
LAB_PID=
LAB_NAMES=()
declare -A LAB_WRITERS=() # of logs, by who is spawned
# Seconds in which who asks once has an answer; less where none is expected, or one asks again.
export LAB_ANSWER=${LAB_ANSWER:-20}

# lab_init: makes the run's directory and has everything taken down when the script ends.
lab_init() {
	[[ $EUID -eq 0 ]] || { echo "network namespaces need root" >&2; return 77; }
	LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/natmux.XXXXXX")
	LAB_ID=${LAB_DIR##*.}
	chmod 711 "$LAB_DIR" # programs that have dropped root must get at their sockets
	mkdir "$LAB_DIR/log" "$LAB_DIR/ns"
	trap lab_down EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	# The way into a namespace, for us and for people: "enter gw-a natmuxctl status". What lies
	# below ns/NAME/{run,etc} stands in the place of the machine's own /run and /etc, so that two
	# gateways can run daemons with the paths and configuration files they would have for real.
	cat >"$LAB_DIR/enter" <<-END
		#!/bin/sh
		# enter NAMESPACE COMMAND [ARGUMENT...]
		root=$LAB_DIR/ns/\$1 ns=nm-$LAB_ID-\$1
		shift
		exec ip netns exec "\$ns" sh -c '
			root=\$1
			shift
			for at in etc/swanctl etc/strongswan.conf etc/ipsec.conf etc/ipsec.secrets \\
				etc/ipsec.d usr/libexec var/lib run # last: \$root may lie in it
			do
				[ ! -e "\$root/\$at" ] || mount --bind "\$root/\$at" "/\$at" || exit 1
			done
			exec "\$@"' sh "\$root" "\$@"
	END
	chmod 755 "$LAB_DIR/enter"
}

# lab_down: ends the processes in the run's namespaces, then the namespaces. Safe to call twice.
lab_down() {
	local status=$? name
	set +e
	trap - EXIT INT TERM
	[[ -n $LAB_ID && -d $LAB_DIR ]] || return "$status"
	lab_kill TERM
	local i
	for ((i = 0; i < 30; i++)); do
		[[ -n $(lab_pids) ]] || break
		sleep 0.1
	done
	lab_kill KILL
	for name in "${LAB_NAMES[@]}"; do
		ip netns del "nm-$LAB_ID-$name" 2>/dev/null || true
	done
	if [[ -z ${LAB_KEEP_LOGS:-} ]]; then
		rm -rf -- "$LAB_DIR"
	fi
	LAB_DIR=
	return "$status"
}

# lab_adopt ID: takes over what another run has left, so that lab_down can end it.
lab_adopt() {
	LAB_ID=$1
	LAB_DIR=${TMPDIR:-/tmp}/natmux.$1
	[[ $LAB_ID =~ ^[A-Za-z0-9]+$ && -d $LAB_DIR/ns ]] || {
		echo "nothing of that name in ${TMPDIR:-/tmp}" >&2
		return 1
	}
	mapfile -t LAB_NAMES < <(ls -- "$LAB_DIR/ns")
}

lab_pids() {
	local name
	for name in "${LAB_NAMES[@]}"; do
		ip netns pids "nm-$LAB_ID-$name" 2>/dev/null || true
	done
}

lab_kill() {
	local pid
	for pid in $(lab_pids); do
		kill "-$1" "$pid" 2>/dev/null || true
	done
}

# lab_run NAME COMMAND...: runs a command in a namespace.
lab_run() {
	"$LAB_DIR/enter" "$@"
}

# lab_spawn NAME LOG COMMAND...: runs a command in the background, its words in log/LOG.log, its
# number in LAB_PID. The log goes through a pipe: AppArmor lets confined daemons write to one. It is we who
# begin what reads there, for a child that it does not know can stop a program (tcpdump waits for it). A
# session of its own, or Ctrl-C would end it before lab_down can look.
lab_spawn() {
	local name=$1 log=$LAB_DIR/log/$2.log writer pipe
	shift 2
	: >>"$log"
	exec {pipe}> >(exec cat >>"$log" 3>&-)
	writer=$!
	setsid "$LAB_DIR/enter" "$name" "$@" >&"$pipe" 2>&1 3>&- {pipe}>&- </dev/null &
	LAB_PID=$!
	exec {pipe}>&-
	LAB_WRITERS[$LAB_PID]=$writer
}

# lab_stop PID [SIGNAL]: ends a spawned process and waits for it, thirty seconds at most, and for all that
# it has said to be in its log.
lab_stop() {
	local writer=${LAB_WRITERS[$1]:-}
	if kill "-${2:-TERM}" "$1"; then
		lab_ends 30 "$1" || kill -KILL "$1" || true
		wait "$1" || true
	fi
	unset "LAB_WRITERS[$1]"
	[[ -z $writer ]] || lab_ends 5 "$writer" || true # a child of it may say more
} 2>/dev/null # bash tells who was killed

# lab_ends SECONDS PID: whether a process of ours ends by itself.
lab_ends() {
	local tenths
	for ((tenths = 0; tenths < $1 * 10; tenths++)); do
		kill -0 "$2" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# lab_wait SECONDS COMMAND...: tries a command until it succeeds; fails when the time is over. The seconds
# are those of a machine that has nothing else to do; others take LAB_PATIENCE times as long.
lab_wait() {
	local end=$((${EPOCHREALTIME/[.,]/} + $1 * ${LAB_PATIENCE:-6} * 1000000)) is_over=''
	local -x LAB_ANSWER=1 # who asks again need not wait
	shift
	until "$@" >/dev/null 2>&1; do
		[[ -z $is_over ]] || return 1
		# One more time afterwards: the time may have passed without us.
		((${EPOCHREALTIME/[.,]/} < end)) || is_over=yes
		sleep 0.05
	done
}

# lab_is OPERATOR WANTED COMMAND...: whether the number that a command prints is so, by an operator of test.
lab_is() {
	test "$("${@:3}")" "$1" "$2"
}

lab_log() {
	echo "$LAB_DIR/log/$1.log"
}

# lab_log_new NAME: an empty one. What an earlier process has said and is not written yet goes to the old.
lab_log_new() {
	rm -f -- "$(lab_log "$1")"
	: >"$(lab_log "$1")"
}

# lab_ns NAME: one namespace with IPv6 that works at once.
lab_ns() {
	local full=nm-$LAB_ID-$1
	ip netns add "$full"
	LAB_NAMES+=("$1")
	mkdir -p "$LAB_DIR/ns/$1"
	ip netns exec "$full" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 \
		net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0
	ip -n "$full" link set lo up
}

# lab_ip NAME ARGUMENT...: the ip command in a namespace.
lab_ip() {
	local full=nm-$LAB_ID-$1
	shift
	ip -n "$full" "$@"
}

# lab_link NAME INTERFACE NAME INTERFACE: a cable between two namespaces.
lab_link() {
	ip link add "$2" netns "nm-$LAB_ID-$1" type veth peer name "$4" netns "nm-$LAB_ID-$3"
	lab_ip "$1" link set "$2" up
	lab_ip "$3" link set "$4" up
}

# lab_addr NAME INTERFACE ADDRESS...: addresses with their lengths, both families.
lab_addr() {
	local name=$1 dev=$2 addr
	shift 2
	for addr; do
		if [[ $addr == *:* ]]; then
			lab_ip "$name" addr add "$addr" dev "$dev" nodad
		else
			lab_ip "$name" addr add "$addr" dev "$dev"
		fi
	done
}

# lab_public NAME N: a box on the public network, which knows the way to both sites' IPv6.
lab_public() {
	lab_ns "$1"
	lab_link "$1" wan pub "p-$1"
	lab_ip pub link set "p-$1" master br0
	lab_addr "$1" wan "203.0.113.$2/24" "2001:db8::$2/64"
	local site
	for site in 1 2; do
		[[ $site == "$2" ]] || {
			lab_ip "$1" route add "2001:db8:$site::/64" via "2001:db8::$site"
			lab_ip "$1" route add "2001:db8:a$site::/64" via "2001:db8::$site"
		}
	done
}

# lab_forwards NAME: makes a box a router.
lab_forwards() {
	lab_run "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# lab_site LETTER N: NAT router, gateway and host of a site.
lab_site() {
	local nat=nat-$1 gw=gw-$1 host=host-$1 n=$2
	lab_public "$nat" "$n"
	lab_ns "$gw"
	lab_ns "$host"
	lab_link "$nat" lan "$gw" wan
	lab_link "$gw" lan "$host" wan
	lab_forwards "$nat"
	lab_forwards "$gw"
	lab_addr "$nat" lan "10.$n.0.1/24" "2001:db8:$n::1/64"
	lab_addr "$gw" wan "10.$n.0.2/24" "2001:db8:$n::2/64"
	lab_addr "$gw" lan "192.168.$n.1/24" "2001:db8:a$n::1/64"
	lab_addr "$host" wan "192.168.$n.10/24" "2001:db8:a$n::10/64"
	lab_ip "$nat" route add "192.168.$n.0/24" via "10.$n.0.2"
	lab_ip "$nat" route add "2001:db8:a$n::/64" via "2001:db8:$n::2"
	lab_ip "$gw" route add default via "10.$n.0.1"
	lab_ip "$gw" route add default via "2001:db8:$n::1"
	lab_ip "$host" route add default via "192.168.$n.1"
	lab_ip "$host" route add default via "2001:db8:a$n::1"
	lab_run "$gw" sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
	mkdir -p "$LAB_DIR/ns/$gw/run" "$LAB_DIR/ns/$gw/etc"
}

# lab_nat NAME [ADDRESS4 ADDRESS6]: masquerades, and lets only answers in; with addresses, UDP 4500
# of the router belongs to them. Without, the router moves source ports, as most do.
lab_nat() {
	if lab_run "$1" nft list tables >/dev/null 2>&1 &&
		lab_nat_nft "$@" 2>"$LAB_DIR/log/nft.log"; then
		return 0
	fi
	lab_nat_iptables "$@"
}

lab_nat_nft() {
	local name=$1 dnat='' allow='' ports='udp sport != 0 masquerade to :40000-49999'
	if [[ $# -gt 1 ]]; then
		dnat="iifname \"wan\" udp dport 4500 dnat to $2"
		allow="iifname \"wan\" ip6 daddr $3 udp dport 4500 accept"
		ports=''
	fi
	lab_run "$name" nft -f - <<-END
		table ip natmux-nat {
			chain in {
				type nat hook prerouting priority dstnat;
				$dnat
			}
			chain out {
				type nat hook postrouting priority srcnat;
				oifname "wan" $ports
				oifname "wan" masquerade
			}
		}
		table inet natmux-filter {
			chain forward {
				type filter hook forward priority filter; policy drop;
				ct state established,related accept
				ct status dnat accept
				iifname "lan" accept
				$allow
			}
		}
	END
}

lab_nat_iptables() {
	local name=$1 ipt
	for ipt in iptables-legacy ip6tables-legacy; do
		lab_run "$name" "$ipt" -P FORWARD DROP
		lab_run "$name" "$ipt" -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
		lab_run "$name" "$ipt" -A FORWARD -i lan -j ACCEPT
	done
	if [[ $# -gt 1 ]]; then
		lab_run "$name" iptables-legacy -t nat -A PREROUTING -i wan -p udp --dport 4500 \
			-j DNAT --to-destination "$2"
		lab_run "$name" iptables-legacy -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT
		lab_run "$name" ip6tables-legacy -A FORWARD -i wan -d "$3" -p udp --dport 4500 -j ACCEPT
	else
		lab_run "$name" iptables-legacy -t nat -A POSTROUTING -o wan -p udp \
			-j MASQUERADE --to-ports 40000-49999
	fi
	lab_run "$name" iptables-legacy -t nat -A POSTROUTING -o wan -j MASQUERADE
}

# lab_rebind ROUTER ADDRESS PORTS: a NAT router loses its address, and with it (masquerade) all of its
# mappings; new ones are made with this address, and for UDP with ports of this range. Needs nftables.
lab_rebind() {
	# At once: what meets no rule goes out as it is, and so does all that follows it.
	lab_run "$1" nft -f - <<-END
		flush chain ip natmux-nat out
		add rule ip natmux-nat out oifname wan udp sport != 0 masquerade to :$3
		add rule ip natmux-nat out oifname wan masquerade
	END
	lab_ip "$1" -4 addr flush dev wan
	lab_wait 2 lab_has_forgotten "$1" || true # the kernel does it beside us
	lab_addr "$1" wan "$2/24"
}

# lab_has_forgotten ROUTER: whether it has no IPv4 mapping of UDP for whom is behind it.
lab_has_forgotten() {
	! lab_run "$1" grep -q '^ipv4 .* udp [^=]* src=10\.' /proc/net/nf_conntrack
}

# lab_topology: the whole picture above.
lab_topology() {
	lab_ns pub
	lab_ip pub link add br0 type bridge
	lab_ip pub link set br0 up
	lab_public stun 100
	lab_public client 200
	lab_site a 1
	lab_site b 2
	lab_nat nat-a
	lab_nat nat-b 10.2.0.2 2001:db8:2::2
}

# lab_coturn: a STUN server at 203.0.113.100 and 2001:db8::100, port 3478.
lab_coturn() {
	lab_spawn stun coturn turnserver -n --no-cli --no-tls --no-dtls --no-tcp --stun-only --no-auth \
		--listening-ip=203.0.113.100 --listening-ip=2001:db8::100 --listening-port=3478 \
		--log-file=stdout --simple-log --pidfile="$LAB_DIR/coturn.pid" \
		--userdb="$LAB_DIR/coturn.db"
	lab_wait 10 lab_listens stun 3478
}

# lab_listens NAME PORT, lab_listens_tcp NAME PORT: whether a socket is bound to a port.
lab_listens() {
	[[ -n $(lab_run "$1" ss -Huln "sport = :$2") ]]
}

lab_listens_tcp() {
	[[ -n $(lab_run "$1" ss -Htln "sport = :$2") ]]
}

# lab_kernel_has_esp: whether the kernel does ESP itself. Tried in a namespace of the lab.
lab_kernel_has_esp() {
	lab_ip pub xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel \
		aead 'rfc4106(gcm(aes))' 0x0123456789012345678901234567890123456789 128 2>/dev/null
}
