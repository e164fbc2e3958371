/* SPDX-License-Identifier: Apache-2.0 */
/* Section sizes of an ELF file, as size(1) adds them up. */
#include "bench/elf_size.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include <natmux/error.h>

/* Of this machine's word size. */
typedef ElfW(Ehdr) elf_header;
typedef ElfW(Shdr) elf_section;

static int read_header(const uint8_t *file, size_t len, elf_header *header)
{
	static const uint32_t one = 1;
	uint8_t is_little;
	int order, class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

	memcpy(&is_little, &one, 1);
	order = is_little ? ELFDATA2LSB : ELFDATA2MSB;
	if (len < sizeof(*header) || memcmp(file, ELFMAG, SELFMAG) != 0 ||
		file[EI_CLASS] != class || file[EI_DATA] != order)
		return NATMUX_EMALFORMED;
	memcpy(header, file, sizeof(*header));
	return 0;
}

static void add_section(struct nm_elf_size *size, const elf_section *section)
{
	if (!(section->sh_flags & SHF_ALLOC))
		return;
	if (section->sh_flags & SHF_WRITE) {
		size->data += section->sh_size;
		return;
	}
	size->text += section->sh_size;
	if (section->sh_flags & SHF_EXECINSTR)
		size->code += section->sh_size;
}

int nm_elf_size(const uint8_t *file, size_t len, struct nm_elf_size *size)
{
	struct nm_elf_size sum = {0};
	elf_header header;
	int err = read_header(file, len, &header);

	if (err < 0)
		return err;
	if (header.e_shentsize != sizeof(elf_section) || header.e_shnum == 0 ||
		header.e_shoff > len ||
		(len - header.e_shoff) / sizeof(elf_section) < header.e_shnum)
		return NATMUX_EMALFORMED;
	for (size_t i = 0; i < header.e_shnum; i++) {
		elf_section section;

		memcpy(&section, file + header.e_shoff + i * sizeof(section), sizeof(section));
		add_section(&sum, &section);
	}
	*size = sum;
	return 0;
}
