/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NM_CTL_KEY_INPUT_H
#define NM_CTL_KEY_INPUT_H

#include "ctl/ctl.h"

/*
 * Reads key material from a file that is kept secret, or from standard input for "-", without echo
 * on a terminal, into the text that a request has: as it is when it is text, else in base64. Which
 * it is, and whether it has the right length, natmuxd decides. The buffers are wiped, and the
 * process leaves no core from here on. NM_CTL_REFUSED after a complaint.
 */
enum nm_ctl_exit nm_key_input(const char *path, json_t **key);

#endif
