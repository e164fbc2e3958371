/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SAs of one plane. Inbound ones are found by SPI (RFC 4301 4.1: unicast, our own SPI is
 * enough), outbound ones by reqid, the newest first, or by SPI and peer.
 */
#ifndef NM_SAD_H
#define NM_SAD_H

#include "base/htab.h"
#include "esp/sa.h"

enum {
	NM_SAD_PREFETCH = 16,
	NM_SAD_MANY = 256, /* SAs that do not fit into a first-level cache any more */
};

struct nm_sad {
	struct nm_sa **sas; /* by number; NULL: free */
	uint32_t max, count;
	uint32_t *free;          /* a stack of numbers */
	struct nm_htab by_spi;   /* inbound, by SPI; outbound, by SPI and remote address */
	struct nm_htab by_reqid; /* outbound: number of the newest SA of a reqid */
	uint8_t key[16];
	uint32_t last_spi; /* the inbound SA found last */
	struct nm_sa *last;
};

/* NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_sad_init(struct nm_sad *sad, uint32_t max, const uint8_t key[16]);
void nm_sad_done(struct nm_sad *sad); /* frees all SAs */

/* The inbound SA of an SPI, or NULL. */
struct nm_sa *nm_sad_find(struct nm_sad *sad, uint32_t spi);

/*
 * Brings what opening packets of up to NM_SAD_PREFETCH SPIs will touch into the cache, all of it at
 * once: one after the other, each SA would have to be waited for a dozen times.
 */
void nm_sad_prefetch(const struct nm_sad *sad, const uint32_t *spis, size_t n);

/* The same for sealing with the newest SAs of reqids. */
void nm_sad_prefetch_out(const struct nm_sad *sad, const uint32_t *reqids, size_t n);

/* The outbound SA of an SPI to a peer (its IP address; ports do not count), or NULL. */
struct nm_sa *nm_sad_find_out(
	const struct nm_sad *sad, uint32_t spi, const struct natmux_addr *remote);

/* The newest outbound SA of a reqid that is alive; if all are dead the newest; or NULL. */
struct nm_sa *nm_sad_find_reqid(const struct nm_sad *sad, uint32_t reqid);

/*
 * Adds an SA; takes it over. One with the same SPI (and peer) is replaced and freed.
 * NATMUX_EFULL: the SA stays the caller's.
 */
int nm_sad_add(struct nm_sad *sad, struct nm_sa *sa);

/* Removes and frees. NATMUX_ENOTFOUND. `remote` of outbound SAs only. */
int nm_sad_delete(struct nm_sad *sad, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote);

/* Calls `each` for every SA, in no order; it may not add or delete. */
void nm_sad_each(const struct nm_sad *sad, void (*each)(void *user, struct nm_sa *sa), void *user);

#endif
