/* SPDX-License-Identifier: Apache-2.0 */
/* Values of single keys: text to field and back, each judged alone. */
#ifndef NM_CONFIG_VALUE_H
#define NM_CONFIG_VALUE_H

#include "daemon/config/config_keys.h"

/*
 * A kind of value. `parse` leaves the field untouched and returns NATMUX_EINVAL for a bad text. Of a
 * list, both are about one element.
 */
struct nm_config_type {
	int (*parse)(const struct nm_config_key *key, const char *text, void *field);
	void (*format)(const struct nm_config_key *key, const void *field, char *text, size_t size);
	const char *allowed; /* NULL: made from the key's words or bounds */
	bool is_quoted;      /* printed between quotes */
	bool is_list;
	bool is_discreet; /* a bad text is not repeated: it may be a key, where its file was wanted */
};

extern const struct nm_config_type nm_config_type_listen, nm_config_type_port,
	nm_config_type_number, nm_config_type_word, nm_config_type_bool, nm_config_type_device,
	nm_config_type_tun, nm_config_type_path, nm_config_type_user, nm_config_type_addr4,
	nm_config_type_addr6, nm_config_type_pool4, nm_config_type_pool6, nm_config_type_peer,
	nm_config_type_server, nm_config_type_alias, nm_config_type_endpoint, nm_config_type_host4,
	nm_config_type_host6, nm_config_type_engine, nm_config_type_spi, nm_config_type_suite,
	nm_config_type_file, nm_config_type_count, nm_config_type_dscp, nm_config_type_selector,
	nm_config_type_selectors, nm_config_type_mark;

enum { NM_CONFIG_VALUE_SIZE = 4096 /* 16 selectors, or a path with every byte escaped */ };

/* What a key accepts, for messages: "a number of seconds from 1 to 3600". */
const char *nm_config_allowed(const struct nm_config_key *key, char text[NM_CONFIG_ALLOWED_SIZE]);

/* Whether `text` is a word of the key that this version does not do yet. */
bool nm_config_is_for_later(const struct nm_config_key *key, const char *text);

/* The name of a peer or server: 1 to 31 letters, digits, '.', '_' or '-'. */
bool nm_config_name_is_good(const char *name);

/*
 * The value of a key as the file writes it, quotes and braces included; "" for a list that is empty,
 * which the file does not write. `base` is the section's struct.
 */
const char *nm_config_value_format(
	const struct nm_config_key *key, const void *base, char text[NM_CONFIG_VALUE_SIZE]);

#endif
