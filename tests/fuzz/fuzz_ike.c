/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram as the dispatcher sees it: an IKE header, or not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "wire/ike.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The length field makes a header good for one length of datagram only. */
static void check_other_lengths(const uint8_t *data, size_t size)
{
	uint8_t *longer = calloc(1, size + 1);

	memcpy(longer, data, size);
	if (nm_ike_check(longer, size + 1) == 0 || nm_ike_check(longer, size - 1) == 0)
		abort();
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_encrypted = nm_ike_is_encrypted(data, size);

	if (nm_ike_check(data, size) < 0)
		return 0;
	if (size < NM_IKE_MIN || nm_get32(data) != 0 || nm_ike_initiator_spi(data) == 0 ||
		nm_get32(data + NM_IKE_AT_LENGTH) != size - NM_NATT_MARKER_LEN)
		abort();
	check_other_lengths(data, size);
	/* A first message is never protected, for there are no keys yet. */
	if (nm_ike_is_first(data) && nm_ike_major(data) == 1 && is_encrypted)
		abort();
	if (nm_ike_is_first(data) && (!nm_ike_opens(data) || nm_ike_is_response(data)))
		abort();
	return 0;
}
