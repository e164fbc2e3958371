# shellcheck shell=bash disable=SC2154 # note, current and what tools/demo defines
# SPDX-License-Identifier: Apache-2.0
#
# The steps of `tools/demo esp`. Sourced by tools/demo, whose other functions they use.

demo_suite=aes128gcm16

esp_demo_gateway() {
	esp_suite=$demo_suite esp_more='stun-server "public" { address = "203.0.113.100:3478" }
		stun { responder = open }' esp_configure "$1" "$2"
	esp_start "$1"
}

start_planes() {
	esp_keys site $demo_suite
	esp_demo_gateway a 203.0.113.2:4500
	# Where A is turns out with its first packet.
	esp_demo_gateway b 203.0.113.1:4500
	note="$(natmux_json gw-a '.natmuxd' version), $demo_suite by $(natmux_json gw-a '.sas[0].engine' sa list),"
	note+=" UDP 4500 on both gateways, no IKE daemon, no ESP in the kernel"
}

first_pings() {
	lab_wait 5 esp_pings host-a 192.168.2.10
	esp_pings host-b 192.168.1.10 >>"$(lab_log ping)"
	esp_pings host-a 2001:db8:a2::10 >>"$(lab_log ping)"
	note="192.168.1.10 ↔ 192.168.2.10, 2001:db8:a1::10 ↔ 2001:db8:a2::10"
}

# The address that B sends to must be the one that A learnt from the STUN server.
compare_peers() {
	local seen
	seen=$(esp_peer b)
	note="A's packets come from $seen, and B answers there"
	[[ $seen == "$mapped_a" ]]
}

# New keys at both ends while pings run.
renew_keys() {
	pings_begin host-a 192.168.2.10 0.05
	esp_suite=$demo_suite esp_renew next 0x2000 0x1000
	pings_end
	note="$pings_lost of $(pings_newest) pings lost"
	[[ $note == "0 of"* ]]
}

# A's router loses its mapping and makes another.
rebind() {
	local before
	before=$(esp_peer b)
	pings_begin host-a 192.168.2.10 0.05
	lab_rebind nat-a 203.0.113.1 45000-45999
	pings_end
	note="$before became $(esp_peer b), $pings_lost of $(pings_newest) pings lost"
	[[ $(esp_peer b) == 203.0.113.1:45* ]]
}

sa_table() {
	local site
	for site in a b; do
		echo
		printf '%-22s %12s %16s %8s %8s %8s\n' "gateway ${site^^}, SAs" packets bytes lost late "bad ICV"
		natmux_json "gw-$site" '.sas[] | ["\(.direction) \(.spi)", .counters.packets, .counters.bytes,
			.counters.lost, .counters.late, .counters.bad_icv] | @tsv' sa list |
			while IFS=$'\t' read -r name packets bytes lost late bad; do
				printf '  %-20s %12s %16s %8s %8s %8s\n' "$name" "$(thousands "$packets")" \
					"$(thousands "$bytes")" "$lost" "$late" "$bad"
			done
	done
}

demo_esp() {
	step 'network' coturn start_network
	step 'natmuxd, which does ESP itself' 'natmuxd-gw-a natmuxd-gw-b' start_planes
	step 'address behind the NAT, learnt by STUN from port 4500' 'natmuxd-gw-a coturn' learn_addresses
	step 'the first packets through both NATs, IPv4 and IPv6' 'natmuxd-gw-a natmuxd-gw-b' first_pings
	step 'same path as learnt by STUN' natmuxd-gw-b compare_peers
	step 'ping through the tunnel' ping ping_through
	step 'iperf3 through the tunnel, 5 s' 'iperf-server iperf' iperf_through
	step 'new keys while it is in use' 'natmuxd-gw-a natmuxd-gw-b' renew_keys
	step 'the NAT forgets its mapping while it is in use' natmuxd-gw-b rebind
	step 'turnutils_stunclient against the same port' stunclient ask_stun
	step 'the tunnel stands' ping tunnel_lives
	sa_table
	table
}
