/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of natmux.conf: names, kinds, defaults, bounds, and whether a reload can change them.
 * What a kind of value looks like is decided in config_value.c.
 */
#include "daemon/config/config_keys.h"

#include <assert.h>
#include <string.h>

#include "daemon/config/config_value.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A word is written through an int, whatever enum its field has. */
static_assert(sizeof(enum nm_attach) == sizeof(int) && sizeof(enum nm_esp) == sizeof(int) &&
		      sizeof(enum nm_handoff) == sizeof(int) &&
		      sizeof(enum natmux_log_level) == sizeof(int) &&
		      sizeof(enum natmux_responder) == sizeof(int) &&
		      sizeof(enum natmux_keepalive) == sizeof(int) &&
		      sizeof(enum natmux_sa_direction) == sizeof(int) &&
		      sizeof(enum natmux_sa_mode) == sizeof(int) &&
		      sizeof(enum natmux_roam) == sizeof(int) &&
		      sizeof(enum natmux_df) == sizeof(int) &&
		      sizeof(enum natmux_too_big) == sizeof(int) &&
		      sizeof(enum natmux_policy_action) == sizeof(int),
	"enums are ints");

static const struct nm_config_word attach_words[] = {
	{"own", NM_ATTACH_OWN, false},
	{"join", NM_ATTACH_JOIN, false},
	{NULL, 0, false},
};

static const struct nm_config_word esp_words[] = {
	{"daemon", NM_ESP_DAEMON, false},
	{"user", NM_ESP_USER, false},
	{"kernel", NM_ESP_KERNEL, false},
	{NULL, 0, false},
};

static const struct nm_config_word handoff_words[] = {
	{"relay", NM_HANDOFF_RELAY, false},
	{"inject", NM_HANDOFF_INJECT, false},
	{"unix", NM_HANDOFF_UNIX, false},
	{"none", NM_HANDOFF_NONE, false},
	{NULL, 0, false},
};

static const struct nm_config_word log_level_words[] = {
	{"error", NATMUX_LOG_ERROR, false},
	{"warning", NATMUX_LOG_WARNING, false},
	{"info", NATMUX_LOG_INFO, false},
	{"debug", NATMUX_LOG_DEBUG, false},
	{NULL, 0, false},
};

static const struct nm_config_word responder_words[] = {
	{"off", NATMUX_RESPONDER_OFF, false},
	{"strict", NATMUX_RESPONDER_STRICT, false},
	{"open", NATMUX_RESPONDER_OPEN, false},
	{NULL, 0, false},
};

static const struct nm_config_word keepalive_words[] = {
	{"off", NATMUX_KEEPALIVE_OFF, false},
	{"auto", NATMUX_KEEPALIVE_AUTO, false},
	{"all", NATMUX_KEEPALIVE_ALL, false},
	{NULL, 0, false},
};

static const struct nm_config_word direction_words[] = {
	{"in", NATMUX_SA_IN, false},
	{"out", NATMUX_SA_OUT, false},
	{NULL, 0, false},
};

static const struct nm_config_word mode_words[] = {
	{"tunnel", NATMUX_SA_TUNNEL, false},
	{"transport", NATMUX_SA_TRANSPORT, false},
	{NULL, 0, false},
};

static const struct nm_config_word roam_words[] = {
	{"yes", NATMUX_ROAM_YES, false},
	{"port-only", NATMUX_ROAM_PORT, false},
	{"no", NATMUX_ROAM_NO, false},
	{NULL, 0, false},
};

static const struct nm_config_word too_big_words[] = {
	{"tell", NATMUX_TOO_BIG_TELL, false},
	{"cut", NATMUX_TOO_BIG_CUT, false},
	{NULL, 0, false},
};
static const struct nm_config_word df_words[] = {
	{"copy", NATMUX_DF_COPY, false},
	{"set", NATMUX_DF_SET, false},
	{"clear", NATMUX_DF_CLEAR, false},
	{NULL, 0, false},
};

static const struct nm_config_word action_words[] = {
	{"protect", NATMUX_POLICY_PROTECT, false},
	{"bypass", NATMUX_POLICY_BYPASS, false},
	{"discard", NATMUX_POLICY_DISCARD, false},
	{NULL, 0, false},
};

#define TYPE(kind)          .type = &nm_config_type_##kind
#define AT(section, member) .offset = offsetof(struct section, member)
/* A text field says its own size. */
#define TEXT_AT(section, member)                                                                   \
	AT(section, member), .max = sizeof(((struct section *)NULL)->member)
#define WORDS(list)       TYPE(word), .words = list
#define NUMBER(low, high) TYPE(number), .min = (low), .max = (high)
#define PORT              TYPE(port), .min = 1, .max = UINT16_MAX
#define RATE_MAX          1000000
#define SECONDS_IN_A_WEEK 604800
#define BUFFER_MAX        (1U << 29) /* the kernel doubles it, in an int */
#define SECONDS_IN_A_YEAR 31622400
#define PER_SECOND        .unit = "datagrams a second"
#define BURST             NUMBER(1, RATE_MAX), .unit = "datagrams"

/* A list says where it ends. */
#define LIST_AT(section, member)                                                                   \
	AT(section, member), .max = ARRAY_SIZE(((struct section *)NULL)->member),                  \
			     .item_size = sizeof(((struct section *)NULL)->member[0]),             \
			     .len_offset = offsetof(struct section, member##_len)

static const struct nm_config_key root_keys[] = {
	{"listen", TYPE(listen), LIST_AT(nm_config, listen), .unit = "addresses",
		.item_lines_offset = offsetof(struct nm_config, listen_lines),
		.initial = "{ \"0.0.0.0\", \"::\" }"},
	{"port", PORT, AT(nm_config, port), .initial = "4500"},
	{"attach", WORDS(attach_words), AT(nm_config, attach), .initial = "own"},
	{"esp", WORDS(esp_words), AT(nm_config, esp), .initial = "daemon"},
	{"both-planes", TYPE(bool), AT(nm_config, both_planes), .initial = "no"},
	{"handoff", WORDS(handoff_words), AT(nm_config, handoff), .initial = "relay"},
	{"device", TYPE(device), TEXT_AT(nm_config, device), .initial = ""},
	{"gro", TYPE(bool), AT(nm_config, gro), .initial = "yes", .is_live = true},
	{"gso", TYPE(bool), AT(nm_config, gso), .initial = "yes", .is_live = true},
	{"receive-buffer", NUMBER(65536, BUFFER_MAX), .unit = "bytes",
		AT(nm_config, receive_buffer_bytes), .initial = "4194304"},
	{"send-buffer", NUMBER(65536, BUFFER_MAX), .unit = "bytes",
		AT(nm_config, send_buffer_bytes), .initial = "4194304"},
	{"budget", NUMBER(1, 1024), AT(nm_config, budget), .initial = "32"},
	{"control-socket", TYPE(path), TEXT_AT(nm_config, control_socket),
		.initial = "/run/natmux/control.sock"},
	{"user", TYPE(user), TEXT_AT(nm_config, user), .initial = ""},
	{"seccomp", TYPE(bool), AT(nm_config, seccomp), .initial = "yes"},
	{"log-level", WORDS(log_level_words), AT(nm_config, log_level), .initial = "info",
		.is_live = true},
};

static const struct nm_config_key relay_keys[] = {
	{"tun", TYPE(tun), TEXT_AT(nm_config_relay, tun), .initial = "natmux0"},
	{"daemon4", TYPE(addr4), AT(nm_config_relay, daemon4), .initial = "100.64.0.1"},
	{"pool4", TYPE(pool4), AT(nm_config_relay, pool4), .min = 16, .max = 30,
		.initial = "100.64.0.0/24"},
	{"daemon6", TYPE(addr6), AT(nm_config_relay, daemon6), .initial = "fd6e:6174:6d75::1"},
	{"pool6", TYPE(pool6), AT(nm_config_relay, pool6), .min = 64, .max = 126,
		.initial = "fd6e:6174:6d75::/112"},
	{"daemon-port", PORT, AT(nm_config_relay, daemon_port), .initial = "14500"},
	{"peer-port", PORT, AT(nm_config_relay, peer_port), .initial = "4500"},
};

static const struct nm_config_key inject_keys[] = {
	{"tun", TYPE(tun), TEXT_AT(nm_config_inject, tun), .initial = "natmux0"},
};

static const struct nm_config_key join_keys[] = {
	{"user", TYPE(user), TEXT_AT(nm_config_join, user), .initial = "root"},
};

static const struct nm_config_key unix_keys[] = {
	{"path", TYPE(path), TEXT_AT(nm_config_unix, path), .initial = "/run/natmux/handoff.sock"},
	{"clients", NUMBER(1, 64), AT(nm_config_unix, clients), .initial = "8"},
	{"queue", NUMBER(1, 65536), .unit = "datagrams", AT(nm_config_unix, queue),
		.initial = "256"},
};

static const struct nm_config_key user_plane_keys[] = {
	{"tun", TYPE(tun), TEXT_AT(nm_config_user_plane, tun), .initial = "natmux1"},
	{"address4", TYPE(host4), AT(nm_config_user_plane, address4), .initial = ""},
	{"address6", TYPE(host6), AT(nm_config_user_plane, address6), .initial = ""},
	{"mtu", NUMBER(0, 65535), .unit = "bytes", AT(nm_config_user_plane, mtu), .initial = "0"},
	{"engine", TYPE(engine), TEXT_AT(nm_config_user_plane, engine), .initial = ""},
	{"sas", NUMBER(1, 1048576), AT(nm_config_user_plane, sas), .initial = "1024"},
	{"policies", NUMBER(1, 65536), AT(nm_config_user_plane, policies), .initial = "1024"},
	{"path-mtu", NUMBER(576, 65535), .unit = "bytes", AT(nm_config_user_plane, path_mtu),
		.initial = "1500"},
	{"bare-esp", TYPE(bool), AT(nm_config_user_plane, bare_esp), .initial = "no"},
	{"offload", TYPE(bool), AT(nm_config_user_plane, offload), .initial = "yes"},
	{"export-keys", TYPE(bool), AT(nm_config_user_plane, export_keys), .initial = "no"},
	{"workers", NUMBER(1, 16), AT(nm_config_user_plane, workers), .initial = "1"},
	{"mss-clamp", TYPE(bool), AT(nm_config_user_plane, mss_clamp), .initial = "no"},
};

static const struct nm_config_key kernel_plane_keys[] = {
	{"tun", TYPE(tun), TEXT_AT(nm_config_kernel_plane, tun), .initial = "natmux2"},
	{"sas", NUMBER(1, 1048576), AT(nm_config_kernel_plane, sas), .initial = "1024"},
	{"policies", NUMBER(1, 65536), AT(nm_config_kernel_plane, policies), .initial = "1024"},
	{"keep", TYPE(bool), AT(nm_config_kernel_plane, keep), .initial = "no", .is_live = true},
	{"export-keys", TYPE(bool), AT(nm_config_kernel_plane, export_keys), .initial = "no"},
	{"gro", TYPE(bool), AT(nm_config_kernel_plane, gro), .initial = "no"},
};

static const struct nm_config_key sa_keys[] = {
	{"direction", WORDS(direction_words), AT(nm_config_sa, direction), .is_live = true},
	{"mode", WORDS(mode_words), AT(nm_config_sa, mode), .initial = "tunnel", .is_live = true},
	{"spi", TYPE(spi), AT(nm_config_sa, spi), .is_live = true},
	{"suite", TYPE(suite), AT(nm_config_sa, suite), .is_live = true},
	{"key-file", TYPE(file), TEXT_AT(nm_config_sa, key_file), .is_live = true},
	{"local", TYPE(alias), AT(nm_config_sa, local), .initial = "", .is_live = true},
	{"remote", TYPE(endpoint), AT(nm_config_sa, remote), .initial = "", .is_live = true},
	{"reqid", NUMBER(0, UINT32_MAX), AT(nm_config_sa, reqid), .initial = "0", .is_live = true},
	{"esn", TYPE(bool), AT(nm_config_sa, esn), .initial = "no", .is_live = true},
	{"replay-window", NUMBER(0, 8192), .unit = "packets", AT(nm_config_sa, replay_window),
		.initial = "1024", .is_live = true},
	{"roam", WORDS(roam_words), AT(nm_config_sa, roam), .initial = "yes", .is_live = true},
	{"soft-bytes", TYPE(count), AT(nm_config_sa, soft.bytes), .initial = "0", .is_live = true},
	{"hard-bytes", TYPE(count), AT(nm_config_sa, hard.bytes), .initial = "0", .is_live = true},
	{"soft-packets", TYPE(count), AT(nm_config_sa, soft.packets), .initial = "0",
		.is_live = true},
	{"hard-packets", TYPE(count), AT(nm_config_sa, hard.packets), .initial = "0",
		.is_live = true},
	{"soft-seconds", NUMBER(0, SECONDS_IN_A_YEAR), .unit = "seconds",
		AT(nm_config_sa, soft.seconds), .initial = "0", .is_live = true},
	{"hard-seconds", NUMBER(0, SECONDS_IN_A_YEAR), .unit = "seconds",
		AT(nm_config_sa, hard.seconds), .initial = "0", .is_live = true},
	{"df", WORDS(df_words), AT(nm_config_sa, df), .initial = "copy", .is_live = true},
	{"dscp", TYPE(dscp), AT(nm_config_sa, dscp), .initial = "copy", .is_live = true},
	{"ecn", TYPE(bool), AT(nm_config_sa, ecn), .initial = "yes", .is_live = true},
	{"tfc-pad", NUMBER(0, 9000), .unit = "bytes", AT(nm_config_sa, tfc_pad), .initial = "0",
		.is_live = true},
	{"too-big", WORDS(too_big_words), AT(nm_config_sa, too_big), .initial = "tell",
		.is_live = true},
	{"dummy", NUMBER(0, 3600), .unit = "seconds", AT(nm_config_sa, dummy_s), .initial = "0",
		.is_live = true},
	{"resync", TYPE(bool), AT(nm_config_sa, resync), .initial = "yes", .is_live = true},
	{"selectors", TYPE(selectors), LIST_AT(nm_config_sa, selectors), .unit = "selectors",
		.initial = "", .is_live = true},
	{"mark", TYPE(mark), AT(nm_config_sa, kernel.mark), .initial = "0", .is_live = true},
	{"output-mark", TYPE(mark), AT(nm_config_sa, kernel.output_mark), .initial = "0",
		.is_live = true},
	{"if-id", NUMBER(0, UINT32_MAX), AT(nm_config_sa, kernel.if_id), .initial = "0",
		.is_live = true},
	{"offload", TYPE(device), TEXT_AT(nm_config_sa, kernel.offload), .initial = "",
		.is_live = true},
};

static const struct nm_config_key policy_keys[] = {
	{"priority", NUMBER(0, UINT32_MAX), AT(nm_config_policy, priority), .initial = "0",
		.is_live = true},
	{"action", WORDS(action_words), AT(nm_config_policy, action), .initial = "protect",
		.is_live = true},
	{"reqid", NUMBER(0, UINT32_MAX), AT(nm_config_policy, reqid), .initial = "0",
		.is_live = true},
	{"selector", TYPE(selector), AT(nm_config_policy, selector), .is_live = true},
	{"mark", TYPE(mark), AT(nm_config_policy, mark), .initial = "0", .is_live = true},
	{"if-id", NUMBER(0, UINT32_MAX), AT(nm_config_policy, if_id), .initial = "0",
		.is_live = true},
};

static const struct nm_config_key peer_keys[] = {
	{"remote", TYPE(peer), AT(nm_config_peer, remote), .is_live = true},
	{"alias", TYPE(alias), AT(nm_config_peer, alias), .initial = "", .is_live = true},
};

static const struct nm_config_key server_keys[] = {
	{"address", TYPE(server), AT(nm_config_server, address), .is_live = true},
};

static const struct nm_config_key stun_keys[] = {
	{"responder", WORDS(responder_words), AT(nm_config_stun, responder), .initial = "strict",
		.is_live = true},
	{"refresh", NUMBER(1, 3600), .unit = "seconds", AT(nm_config_stun, refresh_s),
		.initial = "25", .is_live = true},
};

static const struct nm_config_key keepalive_keys[] = {
	{"mode", WORDS(keepalive_words), AT(nm_config_keepalive, mode), .initial = "auto",
		.is_live = true},
	{"interval", NUMBER(1, 3600), .unit = "seconds", AT(nm_config_keepalive, interval_s),
		.initial = "20", .is_live = true},
};

static const struct nm_config_key limits_keys[] = {
	{"flows", NUMBER(1, 1048576), AT(nm_config_limits, flows), .initial = "4096"},
	{"flow-new", NUMBER(1, 3600), .unit = "seconds", AT(nm_config_limits, flow_new_s),
		.initial = "30", .is_live = true},
	{"flow-answered", NUMBER(1, 3600), .unit = "seconds", AT(nm_config_limits, flow_answered_s),
		.initial = "60", .is_live = true},
	{"flow-idle", NUMBER(1, SECONDS_IN_A_WEEK), .unit = "seconds",
		AT(nm_config_limits, flow_idle_s), .initial = "3600", .is_live = true},
	{"ike-rate", NUMBER(0, RATE_MAX), PER_SECOND, AT(nm_config_limits, ike.per_s),
		.initial = "10", .is_live = true},
	{"ike-burst", BURST, AT(nm_config_limits, ike.burst), .initial = "50", .is_live = true},
	{"ike-rate-all", NUMBER(0, RATE_MAX), PER_SECOND, AT(nm_config_limits, ike_all.per_s),
		.initial = "200", .is_live = true},
	{"ike-burst-all", BURST, AT(nm_config_limits, ike_all.burst), .initial = "1000",
		.is_live = true},
	{"stun-rate", NUMBER(0, RATE_MAX), PER_SECOND, AT(nm_config_limits, stun.per_s),
		.initial = "20", .is_live = true},
	{"stun-burst", BURST, AT(nm_config_limits, stun.burst), .initial = "100", .is_live = true},
	{"stun-rate-all", NUMBER(0, RATE_MAX), PER_SECOND, AT(nm_config_limits, stun_all.per_s),
		.initial = "1000", .is_live = true},
	{"stun-burst-all", BURST, AT(nm_config_limits, stun_all.burst), .initial = "2000",
		.is_live = true},
	{"prefix4", NUMBER(8, 32), .unit = "bits", AT(nm_config_limits, prefix4_bits),
		.initial = "32", .is_live = true},
	{"prefix6", NUMBER(16, 128), .unit = "bits", AT(nm_config_limits, prefix6_bits),
		.initial = "56", .is_live = true},
};

/* A section's struct has one line number for each of its keys. */
#define HAS_LINES(keys, section)                                                                   \
	static_assert(ARRAY_SIZE(keys) == ARRAY_SIZE(((struct section *)NULL)->lines),             \
		#section " has a line for each key")
HAS_LINES(root_keys, nm_config);
HAS_LINES(relay_keys, nm_config_relay);
HAS_LINES(inject_keys, nm_config_inject);
HAS_LINES(join_keys, nm_config_join);
HAS_LINES(unix_keys, nm_config_unix);
HAS_LINES(user_plane_keys, nm_config_user_plane);
HAS_LINES(kernel_plane_keys, nm_config_kernel_plane);
HAS_LINES(sa_keys, nm_config_sa);
HAS_LINES(policy_keys, nm_config_policy);
HAS_LINES(peer_keys, nm_config_peer);
HAS_LINES(server_keys, nm_config_server);
HAS_LINES(stun_keys, nm_config_stun);
HAS_LINES(keepalive_keys, nm_config_keepalive);
HAS_LINES(limits_keys, nm_config_limits);

#define KEYS(list, section)                                                                        \
	.keys = (list), .keys_len = ARRAY_SIZE(list),                                              \
	.lines_offset = offsetof(struct section, lines)
#define IN_CONFIG(member) .offset = offsetof(struct nm_config, member)
#define MANY(member, most)                                                                         \
	.is_titled = true, .items_offset = offsetof(struct nm_config, member),                     \
	.items_len_offset = offsetof(struct nm_config, member##_len),                              \
	.item_size = sizeof(((struct nm_config *)NULL)->member[0]), .items_max = (most)

const struct nm_config_section nm_config_sections[] = {
	{"", KEYS(root_keys, nm_config)},
	{"relay", KEYS(relay_keys, nm_config_relay), IN_CONFIG(relay)},
	{"inject", KEYS(inject_keys, nm_config_inject), IN_CONFIG(inject)},
	{"join", KEYS(join_keys, nm_config_join), IN_CONFIG(join)},
	{"unix", KEYS(unix_keys, nm_config_unix), IN_CONFIG(unix_handoff)},
	{"user-plane", KEYS(user_plane_keys, nm_config_user_plane), IN_CONFIG(user_plane)},
	{"kernel-plane", KEYS(kernel_plane_keys, nm_config_kernel_plane), IN_CONFIG(kernel_plane)},
	{"sa", KEYS(sa_keys, nm_config_sa), MANY(sas, NM_CONFIG_SAS_MAX)},
	{"policy", KEYS(policy_keys, nm_config_policy), MANY(policies, NM_CONFIG_POLICIES_MAX)},
	{"peer", KEYS(peer_keys, nm_config_peer), MANY(peers, NM_CONFIG_PEERS_MAX)},
	{"stun-server", KEYS(server_keys, nm_config_server), MANY(servers, NM_CONFIG_SERVERS_MAX)},
	{"stun", KEYS(stun_keys, nm_config_stun), IN_CONFIG(stun)},
	{"keepalive", KEYS(keepalive_keys, nm_config_keepalive), IN_CONFIG(keepalive)},
	{"limits", KEYS(limits_keys, nm_config_limits), IN_CONFIG(limits)},
};
const size_t nm_config_sections_len = ARRAY_SIZE(nm_config_sections);
