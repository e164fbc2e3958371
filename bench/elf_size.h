/* SPDX-License-Identifier: Apache-2.0 */
/* How large a library is in memory before it does anything. */
#ifndef NM_ELF_SIZE_H
#define NM_ELF_SIZE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes. */
struct nm_elf_size {
	uint64_t code; /* sections that are executed */
	uint64_t text; /* all that is loaded and never written, code included: "text" of size(1) */
	uint64_t data; /* loaded and writable */
};

/*
 * Adds up the sections of an ELF file in memory, of this machine's word size and byte order.
 * NATMUX_EMALFORMED for anything else, or headers that point outside.
 */
int nm_elf_size(const uint8_t *file, size_t len, struct nm_elf_size *size);

#endif
