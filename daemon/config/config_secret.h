/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of the SAs of a configuration, for the reader only. */
#ifndef NM_CONFIG_SECRET_H
#define NM_CONFIG_SECRET_H

#include "daemon/config/config.h"
#include "daemon/config/config_message.h"

/*
 * Reads every key file by `read_key` into the configuration's locked memory and marks its SA.
 * NATMUX_EINVAL with a message, NATMUX_ENOMEM.
 */
int nm_config_read_keys(struct nm_config *config,
	int (*read_key)(const char *path, uint8_t *key, size_t len, char *message, size_t size),
	struct nm_config_report *report);

/*
 * Puts a digest of key material into `mark`: what a reload tells two keys apart by when the keys
 * themselves are gone. Who has key material can make it; who has it cannot make key material.
 */
void nm_config_mark_key(const uint8_t *key, size_t len, uint8_t mark[NM_CONFIG_MARK_SIZE]);

#endif
