/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for the receivers that need libuv: without `open` they are left out, and named. */
#include "bench/receiver.h"

const struct nm_receiver_ops nm_receiver_natmux = {.name = "natmux"};
const struct nm_receiver_ops nm_receiver_uv = {.name = "uv_udp_t"};
const struct nm_receiver_ops nm_receiver_uv_mmsg = {.name = "uv_udp_t RECVMMSG"};
