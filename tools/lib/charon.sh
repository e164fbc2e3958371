# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# strongSwan on a gateway of tools/lib/netns.sh, with its own /run, /etc/strongswan.conf and
# /etc/swanctl.

# charon_configure GATEWAY STRONGSWAN_CONF SWANCTL_CONF: puts the files where charon looks for them.
charon_configure() {
	local root=$LAB_DIR/ns/$1
	mkdir -p "$root/etc/swanctl"
	cp "$2" "$root/etc/strongswan.conf"
	cp "$3" "$root/etc/swanctl/swanctl.conf"
	touch "$root/etc/ipsec.secrets"
}

# charon_start GATEWAY: starts charon and loads its connections; its log is log/charon-GATEWAY.log.
charon_start() {
	# swanctl reads these whether or not anything is in them.
	mkdir -p "$LAB_DIR/ns/$1"/etc/swanctl/{x509,x509ca,x509aa,x509ac,x509crl,x509ocsp,pubkey} \
		"$LAB_DIR/ns/$1"/etc/swanctl/{private,rsa,ecdsa,bliss,pkcs8,pkcs12}
	lab_spawn "$1" "charon-$1" /usr/lib/ipsec/charon
	lab_wait 10 charon_ctl "$1" --stats || return 1
	charon_ctl "$1" --load-all >>"$(lab_log "charon-$1")" 2>&1
}

# charon_ctl GATEWAY ARGUMENT...: swanctl there.
charon_ctl() {
	local gw=$1
	shift
	timeout --foreground 60 "$LAB_DIR/enter" "$gw" swanctl "$@"
}

# charon_up GATEWAY CHILD: begins a tunnel; fails when it is not there within 50 seconds.
charon_up() {
	charon_ctl "$1" --initiate --child "$2" --timeout 50
}

# charon_has GATEWAY TEXT: whether `swanctl --list-sas` shows TEXT.
charon_has() {
	charon_ctl "$1" --list-sas 2>/dev/null | grep -F -- "$2" >/dev/null
}

# charon_has_settled GATEWAY TEXT: the same, and no SA is being made, replaced or deleted any more: with that
# the next rekeying might collide, and charon takes its time before it tries again.
charon_has_settled() {
	local sas
	sas=$(charon_ctl "$1" --list-sas 2>/dev/null)
	[[ $sas == *"$2"* && ! $sas =~ CONNECTING|CREATED|INSTALLING|REKEYING|REKEYED|RETRYING|DELETING ]]
}

# charon_rekeys GATEWAY CHILD PEER: whether a CHILD_SA is rekeyed, and the peer's kernel has new states and none of
# the old ones any more. swanctl only sets it off, and as long as it goes on packets may get lost: who is asked
# may use his new state before the other has put his into the kernel (RFC 7296 2.8).
charon_rekeys() {
	local before
	before=$(charon_spis "$3")
	charon_ctl "$1" --rekey --child "$2" && lab_wait 5 charon_has_rekeyed "$1" "$3" "$before"
}

# charon_has_rekeyed GATEWAY PEER SPIS: whether one state for each direction is there, and none of those.
charon_has_rekeyed() {
	local now
	now=$(charon_spis "$2")
	[[ $(wc -w <<<"$now") -eq 2 && -z $(comm -12 <(echo "$3") <(echo "$now")) ]] &&
		charon_has_settled "$1" INSTALLED
}

# charon_spis GATEWAY: of its kernel's states, in their order.
charon_spis() {
	lab_ip "$1" xfrm state | sed -n 's/.* spi \(0x[0-9a-f]*\) .*/\1/p' | sort
}

# charon_pings GATEWAY ADDRESS: one ping through the tunnel, from the gateway's inside.
charon_pings() {
	lab_run "$1" ping -q -c 1 -W "$LAB_ANSWER" "$2"
}
