/* SPDX-License-Identifier: Apache-2.0 */
/* A doubly linked ring inside the objects it links: O(1) everywhere, no memory of its own. */
#ifndef NM_LIST_H
#define NM_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct nm_list {
	struct nm_list *prev, *next;
};

#define NM_LIST_ENTRY(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Makes an empty ring, or an object that is in none. */
static inline void nm_list_init(struct nm_list *list)
{
	list->prev = list->next = list;
}

static inline bool nm_list_is_empty(const struct nm_list *list)
{
	return list->next == list;
}

/* Fine for an object that is in no ring. */
static inline void nm_list_remove(struct nm_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	nm_list_init(node);
}

/* Takes the object out of the ring it is in and makes it the last of this one. */
static inline void nm_list_move_last(struct nm_list *list, struct nm_list *node)
{
	nm_list_remove(node);
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

/* The oldest object, or NULL. */
static inline struct nm_list *nm_list_first(const struct nm_list *list)
{
	return list->next == list ? NULL : list->next;
}

#endif
