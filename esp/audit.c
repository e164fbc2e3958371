/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4303 4: which discarded packets are told about, and how often. */
#include "esp/plane.h"

enum { AUDIT_MS = 1000 };

void nm_plane_audit(struct natmux_esp *esp, uint64_t now_ms, enum natmux_drop drop, uint32_t spi,
	uint32_t sequence, const struct natmux_path *path)
{
	nm_plane_drop(esp, drop, 1);
	if (!esp->config.event || !nm_plane_is_due(&esp->leader->audit_ms[drop], now_ms, AUDIT_MS))
		return;
	nm_plane_event(esp, &(struct natmux_esp_event){
				    .type = NATMUX_ESP_EVENT_AUDIT,
				    .drop = drop,
				    .spi = spi,
				    .sequence = sequence,
				    .path = *path,
			    });
}
