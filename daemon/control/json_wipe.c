/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for JSON that leaves nothing behind. */
#include "daemon/control/json_wipe.h"

#include <jansson.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

static void wipe_and_free(void *memory)
{
	if (memory)
		sodium_memzero(memory, malloc_usable_size(memory));
	free(memory);
}

void nm_json_wipe(void)
{
	/* Without a realloc of its own jansson copies, and gives the old block to our free. */
	json_set_alloc_funcs(malloc, wipe_and_free);
}
