/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NM_JSON_WIPE_H
#define NM_JSON_WIPE_H

/*
 * From here on JSON in this process is wiped before its memory is given back, jansson's buffers
 * included: a request may hold a key. To be called before jansson is used.
 */
void nm_json_wipe(void);

#endif
