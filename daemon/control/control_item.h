/* SPDX-License-Identifier: Apache-2.0 */
/* SAs and policies as requests bring them: the keys of natmux.conf as members of an object. */
#ifndef NM_CONTROL_ITEM_H
#define NM_CONTROL_ITEM_H

#include "daemon/config/config.h"
#include "daemon/control/control_request.h"
#include "daemon/planes/sa_plane.h"

/*
 * Reads the request's member `member`, an object whose members are keys of that section ("-" as
 * "_") with texts, numbers, booleans or lists of texts, into the section's struct at `item`, whose
 * name stays "". What is not given has its default. NATMUX_EINVAL after a word to the client, the
 * same that a file would get. `without`: a key that only files have, or NULL.
 */
int nm_control_read_item(struct nm_control_call *call, const char *member, const char *section,
	const char *without, void *item);

/* The plane that SAs and policies are for; NULL, after a word to the client, with esp = daemon. */
const struct nm_sa_plane *nm_control_sa_plane(struct nm_control_call *call);

#endif
