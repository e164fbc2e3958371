/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of sock_diag from a kernel that says anything. */
#include <stdlib.h>

#include "io/sock_diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nm_port_socket sockets[4];
	size_t n = 0;
	int result = nm_sock_diag_decode(data, size, 4500, 4, NULL, sockets, 4, &n);

	if (n > 4 || result > 1)
		abort();
	for (size_t i = 0; i < n; i++)
		if (sockets[i].local.port != 4500)
			abort();
	return 0;
}
