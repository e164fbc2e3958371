/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words behind `sa` and `policy`, which come in pairs as those of ip-xfrm(8), on their way into a
 * request. What they mean is natmuxd's business: here is only what is said in another way there.
 */
#ifndef NM_CTL_WORDS_H
#define NM_CTL_WORDS_H

#include "ctl/ctl.h"

/*
 * Reads an SA's words into `sa`, an object, and the file of its key into `key_file` (NULL if none is
 * named). Complains: a word without its value, a selector without its words, a key.
 */
enum nm_ctl_exit nm_words_sa(const char *command, char **argv, json_t *sa, const char **key_file);

/* The same of a policy: its selector's words, and the others. */
enum nm_ctl_exit nm_words_policy(const char *command, char **argv, json_t *policy);

/* What SAs are picked by: dir, spi, reqid, remote. */
enum nm_ctl_exit nm_words_filter(const char *command, char **argv, json_t *request);

#endif
