/* SPDX-License-Identifier: Apache-2.0 */
/* No user plane: for tests of the others. */
#include <stdlib.h>

#include "daemon/user/user_plane.h"

struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *plane)
{
	(void)plane;
	abort();
}

uint64_t nm_user_plane_now_ms(const struct nm_user_plane *plane)
{
	(void)plane;
	abort();
}

void nm_user_plane_changed(struct nm_user_plane *plane)
{
	(void)plane;
	abort();
}
