/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the Unix handoff from and to bytes. Who may send which frame is the hub's to say. */
#include "dispatcher/handoff_frame.h"

#include <string.h>
#include "base/reader.h"
#include "base/writer.h"

static void write_addr(struct nm_writer *w, const struct natmux_addr *addr)
{
	nm_write8(w, addr->family);
	nm_write8(w, 0);
	nm_write16(w, addr->port);
	nm_write32(w, addr->scope_id);
	nm_write(w, addr->ip, sizeof(addr->ip));
}

void nm_frame_encode(uint8_t header[NM_FRAME_HEADER_LEN], const struct nm_frame *frame)
{
	struct nm_writer w = nm_writer_init(header, NM_FRAME_HEADER_LEN);

	nm_write32(&w, NM_FRAME_MAGIC);
	nm_write8(&w, NM_FRAME_VERSION);
	nm_write8(&w, frame->type);
	nm_write8(&w, frame->cls);
	nm_write8(&w, frame->tos);
	nm_write32(&w, frame->segment);
	nm_write16(&w, frame->classes);
	nm_write16(&w, frame->word);
	write_addr(&w, &frame->path.local);
	write_addr(&w, &frame->path.remote);
}

static bool is_zero(const uint8_t *data, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= data[i];
	return any == 0;
}

/* RFC 4291 2.5.5.2: IPv4 in IPv6's clothes, which natmux never keeps. */
static bool is_mapped(const uint8_t ip[16])
{
	return is_zero(ip, 10) && ip[10] == 0xff && ip[11] == 0xff;
}

/* RFC 4291 2.5.6: addresses that mean nothing without an interface. */
static bool is_link_local(const struct natmux_addr *addr)
{
	return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

/* An address as struct natmux_addr wants it, wildcards and no address at all included. */
static bool read_addr(struct nm_reader *r, struct natmux_addr *addr)
{
	const uint8_t *ip;

	memset(addr, 0, sizeof(*addr));
	addr->family = nm_read8(r);
	addr->reserved = nm_read8(r);
	addr->port = nm_read16(r);
	addr->scope_id = nm_read32(r);
	ip = nm_read(r, sizeof(addr->ip));
	if (!ip || addr->reserved != 0)
		return false;
	memcpy(addr->ip, ip, sizeof(addr->ip));
	switch (addr->family) {
	case NATMUX_FAMILY_NONE: return addr->port == 0 && addr->scope_id == 0 && is_zero(ip, 16);
	case NATMUX_FAMILY_IPV4: return addr->scope_id == 0 && is_zero(ip + 4, 12);
	case NATMUX_FAMILY_IPV6:
		return !is_mapped(ip) && (addr->scope_id == 0 || is_link_local(addr));
	default: return false;
	}
}

/* Somebody to send to: RFC 1122 3.2.1.3 and RFC 4291 2.7 name what cannot be one. */
static bool is_remote(const struct natmux_addr *addr)
{
	if (addr->family == NATMUX_FAMILY_NONE || addr->port == 0 || is_zero(addr->ip, 16))
		return false;
	return addr->family == NATMUX_FAMILY_IPV4 ? addr->ip[0] < 224 : addr->ip[0] != 0xff;
}

/* No local address, a bare family, or an address and port of the remote's family. */
static bool is_local_for(const struct natmux_addr *local, const struct natmux_addr *remote)
{
	if (local->family == NATMUX_FAMILY_NONE)
		return true;
	if (local->family != remote->family)
		return false;
	return local->port != 0 || is_zero(local->ip, sizeof(local->ip));
}

static enum nm_frame_error check_size(const struct nm_frame *frame)
{
	if (frame->len == 0 || frame->len > NM_FRAME_DATAGRAM_MAX)
		return NM_FRAME_ERROR_SIZE;
	if (frame->segment == 0 || frame->segment >= frame->len)
		return NM_FRAME_GOOD;
	if (frame->len > NM_FRAME_TRAIN_BYTES ||
		(frame->len + frame->segment - 1) / frame->segment > NM_FRAME_TRAIN_MAX)
		return NM_FRAME_ERROR_SIZE;
	return NM_FRAME_GOOD;
}

/* RFC 3948 2.2: IKE without its marker would be ESP to whoever receives it. */
static enum nm_frame_error check_class(const struct nm_frame *frame)
{
	enum natmux_class cls = NATMUX_CLASS_IKE;
	size_t segment = frame->segment > 0 ? frame->segment : frame->len;

	if (frame->cls == NM_FRAME_CLASS_ESP)
		cls = NATMUX_CLASS_ESP;
	else if (frame->cls != NM_FRAME_CLASS_IKE)
		return NM_FRAME_ERROR_CLASS;
	for (size_t at = 0; at < frame->len; at += segment) {
		size_t left = frame->len - at;

		if (natmux_classify(frame->payload + at, left < segment ? left : segment) != cls)
			return NM_FRAME_ERROR_CLASS;
	}
	return NM_FRAME_GOOD;
}

static enum nm_frame_error check_datagram(const struct nm_frame *frame)
{
	enum nm_frame_error error = check_size(frame);

	if (error == NM_FRAME_GOOD)
		error = check_class(frame);
	if (error != NM_FRAME_GOOD)
		return error;
	if (!is_remote(&frame->path.remote) ||
		!is_local_for(&frame->path.local, &frame->path.remote))
		return NM_FRAME_ERROR_ADDRESS;
	return NM_FRAME_GOOD;
}

enum nm_frame_error nm_frame_decode(const uint8_t *data, size_t len, struct nm_frame *frame)
{
	struct nm_reader r = nm_reader_init(data, len);
	struct nm_frame result;
	enum nm_frame_error error = NM_FRAME_GOOD;
	bool has_addrs;

	if (len < NM_FRAME_HEADER_LEN || len > NM_FRAME_MAX || nm_read32(&r) != NM_FRAME_MAGIC)
		return NM_FRAME_ERROR_FORMAT;
	if (nm_read8(&r) != NM_FRAME_VERSION)
		return NM_FRAME_ERROR_VERSION;
	result.type = nm_read8(&r);
	result.cls = nm_read8(&r);
	result.tos = nm_read8(&r);
	result.segment = nm_read32(&r);
	result.classes = nm_read16(&r);
	result.word = nm_read16(&r);
	has_addrs = read_addr(&r, &result.path.local);
	has_addrs &= read_addr(&r, &result.path.remote);
	result.payload = r.at;
	result.len = r.left;
	if (result.type == NM_FRAME_DATAGRAM)
		error = has_addrs ? check_datagram(&result) : NM_FRAME_ERROR_ADDRESS;
	if (error == NM_FRAME_GOOD)
		*frame = result;
	return error;
}

const char *nm_frame_error_text(enum nm_frame_error error)
{
	switch (error) {
	case NM_FRAME_GOOD: break;
#define X(name, value, text)                                                                       \
	case NM_FRAME_ERROR_##name: return text;
		NM_FRAME_ERROR_MAP(X)
#undef X
	}
	return "no error";
}
