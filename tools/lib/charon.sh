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

# charon_pings GATEWAY ADDRESS: one ping through the tunnel, from the gateway's inside.
charon_pings() {
	lab_run "$1" ping -q -c 1 -W "$LAB_ANSWER" "$2"
}
