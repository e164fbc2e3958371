/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which sockets of which process are joined. Anybody may bind a port above 1023: a process
 * that is not the one that was meant gets nothing of ours, and is named.
 */
#include "dispatcher/holder.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char natmuxd[] = "natmuxd";

struct judge {
	const struct nm_holder_wish *wish;
	const struct nm_port_socket *sockets;
	size_t sockets_n;
	const struct nm_port_holder *holders;
	size_t holders_n;
	struct nm_holder_choice *choice;
};

static void say(struct judge *judge, enum nm_holder_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct judge *judge, enum nm_holder_verdict verdict, const char *format, ...)
{
	va_list args;

	judge->choice->verdict = verdict;
	va_start(args, format);
	vsnprintf(judge->choice->why, sizeof(judge->choice->why), format, args);
	va_end(args);
}

static bool is_wildcard(const struct natmux_addr *addr)
{
	static const uint8_t zeros[16];

	return memcmp(addr->ip, zeros, sizeof(zeros)) == 0;
}

static bool is_wanted(const struct nm_holder_wish *wish, const struct nm_port_socket *socket)
{
	for (size_t i = 0; i < wish->listen_n; i++) {
		const struct natmux_addr *listen = &wish->listen[i];

		if (listen->family != socket->local.family)
			continue;
		if (is_wildcard(listen) ||
			memcmp(listen->ip, socket->local.ip, sizeof(listen->ip)) == 0)
			return true;
	}
	return false;
}

/* The first process that has the socket. */
static const struct nm_port_holder *holder_of(const struct judge *judge, size_t socket)
{
	for (size_t i = 0; i < judge->holders_n; i++)
		if (judge->holders[i].socket == socket)
			return &judge->holders[i];
	return NULL;
}

static void refuse_hidden(struct judge *judge, const char *where)
{
	if (judge->wish->closed > 0)
		say(judge, NM_HOLDER_HIDDEN,
			"%s belongs to one of %u processes that natmuxd may not look into "
			"(CAP_SYS_PTRACE, and CAP_DAC_READ_SEARCH where natmuxd is not root)",
			where, judge->wish->closed);
	else
		say(judge, NM_HOLDER_HIDDEN,
			"%s belongs to no process that natmuxd can see: to one in another PID "
			"namespace or behind hidepid, to the kernel itself, or for a while to "
			"nobody, as iked's when it starts",
			where);
}

/*
 * An IPv6 socket that takes IPv4 can be joined where none comes to it, because the same daemon has an
 * IPv4 socket there. What else this needs is seen at the socket itself: daemon/join/joining.c.
 */
static bool keeps_ipv4_away(const struct judge *judge, const struct nm_port_socket *dual,
	const struct nm_port_holder *by)
{
	for (size_t i = 0; i < judge->sockets_n; i++) {
		const struct nm_port_socket *other = &judge->sockets[i];
		const struct nm_port_holder *holder = holder_of(judge, i);

		if (other->local.family == NATMUX_FAMILY_IPV4 && is_wildcard(&other->local) &&
			other->interface == dual->interface && holder && holder->pid == by->pid)
			return true;
	}
	return false;
}

/* What one socket by itself has to be like. */
static bool check_socket(
	struct judge *judge, const struct nm_port_socket *socket, const struct nm_port_holder *by)
{
	const struct nm_holder_wish *wish = judge->wish;
	char where[NATMUX_ADDR_TEXT];

	natmux_addr_format(&socket->local, where);
	if (!by)
		refuse_hidden(judge, where);
	else if (strcmp(by->name, natmuxd) == 0)
		say(judge, NM_HOLDER_NATMUX,
			"%s belongs to another natmuxd (process %d): one is enough", where,
			by->pid);
	else if (socket->uid != wish->uid)
		say(judge, NM_HOLDER_USER,
			"%s belongs to %s (process %d) of the user with the number %" PRIu32
			", not of %s (%" PRIu32 "): see join.user",
			where, by->name, by->pid, socket->uid, wish->user, wish->uid);
	else if (wish->interface > 0 && socket->interface != wish->interface)
		say(judge, NM_HOLDER_DEVICE,
			"%s of %s (process %d) is bound to %s: leave the key device out", where,
			by->name, by->pid, socket->interface > 0 ? "another interface" : "none");
	else if (nm_port_socket_takes_ipv4(socket) && !keeps_ipv4_away(judge, socket, by))
		say(judge, NM_HOLDER_BOTH,
			"%s of %s (process %d) takes IPv4, too (no IPV6_V6ONLY), and has no "
			"socket at 0.0.0.0 beside it: natmux joins sockets of one family",
			where, by->name, by->pid);
	else
		return true;
	return false;
}

/* The same socket in a second process, or a second process on the port. */
static bool check_alone(struct judge *judge, const struct nm_port_holder *first)
{
	for (size_t i = 0; i < judge->holders_n; i++) {
		const struct nm_port_holder *other = &judge->holders[i];

		if (other->pid == first->pid ||
			!is_wanted(judge->wish, &judge->sockets[other->socket]))
			continue;
		say(judge, NM_HOLDER_SEVERAL,
			"%s (process %d) and %s (process %d) both have UDP port %u: natmux joins "
			"one daemon",
			first->name, first->pid, other->name, other->pid, judge->wish->port);
		return false;
	}
	return true;
}

/* Two sockets at one address are a group already, whose order is not ours. */
static bool check_twins(struct judge *judge, const struct nm_port_holder *by, size_t socket)
{
	const struct nm_port_socket *a = &judge->sockets[socket];
	char where[NATMUX_ADDR_TEXT];

	for (size_t i = 0; i < judge->choice->parts_n; i++) {
		const struct nm_port_socket *b = &judge->sockets[judge->choice->parts[i].socket];

		if (!natmux_addr_equal(&a->local, &b->local) || a->interface != b->interface)
			continue;
		say(judge, NM_HOLDER_SEVERAL,
			"%s (process %d) has several sockets at %s: natmux would not know which "
			"of them is the first",
			by->name, by->pid, natmux_addr_format(&a->local, where));
		return false;
	}
	return true;
}

static bool add(struct judge *judge, size_t socket)
{
	const struct nm_port_holder *by = holder_of(judge, socket);
	struct nm_holder_choice *choice = judge->choice;

	if (!check_socket(judge, &judge->sockets[socket], by) || !check_alone(judge, by) ||
		!check_twins(judge, by, socket))
		return false;
	if (choice->parts_n == NM_HOLDER_SOCKETS) {
		say(judge, NM_HOLDER_TOO_MANY,
			"%s (process %d) has more than %d sockets on port %u: name those to be "
			"joined with the key listen",
			by->name, by->pid, NM_HOLDER_SOCKETS, judge->wish->port);
		return false;
	}
	choice->pid = by->pid;
	memcpy(choice->name, by->name, sizeof(choice->name));
	choice->parts[choice->parts_n++] = (struct nm_holder_part){socket, by->fd};
	return true;
}

static void refuse_nobody(struct judge *judge)
{
	char where[NATMUX_ADDR_TEXT];

	if (judge->sockets_n == 0)
		say(judge, NM_HOLDER_NOBODY, "nobody has UDP port %u", judge->wish->port);
	else
		say(judge, NM_HOLDER_OUTSIDE,
			"UDP port %u is in use at %s and at no address in listen",
			judge->wish->port, natmux_addr_format(&judge->sockets[0].local, where));
}

void nm_holder_judge(const struct nm_holder_wish *wish, const struct nm_port_socket *sockets,
	size_t sockets_n, const struct nm_port_holder *holders, size_t holders_n,
	struct nm_holder_choice *choice)
{
	struct judge judge = {wish, sockets, sockets_n, holders, holders_n, choice};

	*choice = (struct nm_holder_choice){.verdict = NM_HOLDER_JOIN};
	for (size_t i = 0; i < sockets_n; i++)
		if (is_wanted(wish, &sockets[i]) && !add(&judge, i))
			return;
	if (choice->parts_n == 0)
		refuse_nobody(&judge);
}
