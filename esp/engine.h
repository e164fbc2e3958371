/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What seals and opens: the cryptography of one or more suites behind one struct, on vectors of
 * packets of one key. Engines know no SA, no window and no inner packet; they see the bytes that
 * are sealed and the few in front of them that integrity covers too.
 */
#ifndef NM_ENGINE_H
#define NM_ENGINE_H

#include <stdbool.h>
#include <natmux/suite.h>

/*
 * One packet, worked on in place. As on the wire its parts lie one behind the other:
 *
 *   SPI, sequence number (8), IV (iv_len) | text (len, a multiple of the alignment) | ICV (icv_len)
 *
 * Sealing encrypts the text and writes the ICV; opening compares the ICV and decrypts the text.
 * SPI, sequence number and IV are complete in both cases: whoever calls makes the IV.
 */
struct nm_engine_job {
	uint8_t *packet;
	uint32_t len;      /* of the text: 0 is fine */
	uint32_t seq_high; /* with ESN: the half that is not on the wire (RFC 4303 2.2.1) */
	bool is_good;      /* open: the ICV is right; else the text is of no use to anybody */
};

enum { NM_ENGINE_VECTOR = 64 /* jobs of one call at most */ };

struct nm_engine {
	const char *name; /* "sodium", "openssl", "ipsec-mb" */

	/* Whether it has the suite on this CPU. Asked before anything else. */
	bool (*has_suite)(enum natmux_suite suite);

	/*
	 * The expanded key of one direction of one SA: so many bytes (a multiple of 64, aligned to
	 * 64), made from the suite's key material and wiped by `key_done`, also after a failed
	 * `key_init`. One key state is used by one thread at a time. NATMUX_ENOMEM, NATMUX_ESYSTEM.
	 */
	size_t (*key_size)(enum natmux_suite suite);
	int (*key_init)(void *key, enum natmux_suite suite, bool has_esn, const uint8_t *keymat);
	void (*key_done)(void *key);

	/* 1 to NM_ENGINE_VECTOR jobs. No allocation, no system call. */
	void (*seal)(void *key, struct nm_engine_job *jobs, size_t n);
	void (*open)(void *key, struct nm_engine_job *jobs, size_t n);
};

/* Engines of this build; those whose library is missing have no suite. In order of preference. */
extern const struct nm_engine nm_engine_ipsecmb, nm_engine_openssl, nm_engine_sodium;

enum { NM_ENGINES_MAX = 3 };

/*
 * Chooses the engine of each suite: those that prove themselves with known answers, the fastest
 * first by a fixed table, unless `prefer` names one ("" or NULL: none; it is taken where it has the
 * suite). What fails its proof is left out and told to `failed`. To be called once at start;
 * the choice is the caller's to keep.
 */
struct nm_engine_choice {
	const struct nm_engine *of[NATMUX_SUITE_COUNT]; /* NULL: no engine has the suite */
};
void nm_engine_choose(struct nm_engine_choice *choice, const char *prefer,
	void (*failed)(void *user, const struct nm_engine *engine, enum natmux_suite suite),
	void *user);

/* The same for one suite, as little work as that is; NULL: no engine has it, or proves that it has. */
const struct nm_engine *nm_engine_find(enum natmux_suite suite);

/* Whether the engine's answers for a suite are the known ones: seal, open, and a forged ICV. */
bool nm_engine_proves(const struct nm_engine *engine, enum natmux_suite suite);

#endif
