/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of the Unix handoff, as docs/unix-handoff.md draws them: a header of 64 bytes, all
 * numbers big-endian, and a payload. One message of the SOCK_SEQPACKET socket is one frame.
 */
#ifndef NM_HANDOFF_FRAME_H
#define NM_HANDOFF_FRAME_H

#include <natmux/classify.h>
#include <natmux/train.h>

enum {
	NM_FRAME_HEADER_LEN = 64,
	NM_FRAME_MAGIC = 0x6e6d7578, /* "nmux" */
	NM_FRAME_VERSION = 1,
	NM_FRAME_MAX = NM_FRAME_HEADER_LEN + 65535, /* no frame of either side is longer */
	NM_FRAME_DATAGRAM_MAX = 65507,              /* what IPv4 can carry */
	NM_FRAME_TRAIN_MAX = 64,                    /* datagrams in one frame of a client */
	NM_FRAME_TRAIN_BYTES = 65535 - 48,          /* what UDP_SEGMENT takes on IPv6 */
};

enum nm_frame_type {
	NM_FRAME_HELLO = 1,    /* client: what it wants */
	NM_FRAME_WELCOME = 2,  /* natmux: what it gets */
	NM_FRAME_DATAGRAM = 3, /* both */
	NM_FRAME_STATS = 4,    /* client: without payload; natmux: five counters of 64 bits */
	NM_FRAME_ERROR = 5,    /* natmux: a code, and a sentence as payload */
};

/* On the wire: class numbers that never change, whatever enum natmux_class does. */
enum { NM_FRAME_CLASS_IKE = 1, NM_FRAME_CLASS_ESP = 2 };

/* Flags of HELLO and WELCOME. */
enum { NM_FRAME_FLAG_TRAINS = 1 /* the client takes several datagrams in one frame */ };

/* Why a frame is refused: enum, code on the wire, sentence. */
#define NM_FRAME_ERROR_MAP(X)                                                                      \
	X(FORMAT, 1, "not a frame: shorter than its header, or wrong magic")                       \
	X(VERSION, 2, "version of the framing that natmux does not speak")                         \
	X(TYPE, 3, "type of frame that a client does not send")                                    \
	X(NO_HELLO, 4, "the first frame is not HELLO")                                             \
	X(CLASS, 5, "class other than IKE and ESP, or payload that is not of its class")           \
	X(SIZE, 6, "payload empty or too long, or more than 64 datagrams")                         \
	X(ADDRESS, 7, "remote address missing or impossible, or local of another family")

enum nm_frame_error {
	NM_FRAME_GOOD = 0,
#define X(name, value, text) NM_FRAME_ERROR_##name = (value),
	NM_FRAME_ERROR_MAP(X)
#undef X
};

struct nm_frame {
	uint8_t type;            /* enum nm_frame_type */
	uint8_t cls;             /* DATAGRAM: NM_FRAME_CLASS_… */
	uint8_t tos;             /* DATAGRAM */
	uint16_t classes;        /* HELLO, WELCOME: 1 << NM_FRAME_CLASS_… */
	uint16_t word;           /* HELLO, WELCOME: flags; ERROR: enum nm_frame_error */
	uint32_t segment;        /* DATAGRAM: as in struct natmux_train; 0: one datagram */
	struct natmux_path path; /* DATAGRAM */
	const uint8_t *payload;  /* borrowed */
	size_t len;
};

/* Writes the header; the payload travels beside it. */
void nm_frame_encode(uint8_t header[NM_FRAME_HEADER_LEN], const struct nm_frame *frame);

/*
 * Reads a frame of either side: magic, version and lengths are checked, and for DATAGRAM the
 * addresses, sizes, and that each datagram is of the class that the frame claims. `frame` is written only for
 * NM_FRAME_GOOD and borrows `data`.
 */
enum nm_frame_error nm_frame_decode(const uint8_t *data, size_t len, struct nm_frame *frame);

/* The sentence for an error, without a full stop; never NULL. */
const char *nm_frame_error_text(enum nm_frame_error error);

#endif
