/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine's addresses, asked of the system anew with each call: interfaces come and go. */
#include "net/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>

#include "base/memory.h"

static struct prefix network_of(const struct address *address, const struct sockaddr *netmask)
{
    struct prefix network = {.address = *address, .bits = address->family == 4 ? 32 : 128};
    struct address mask;
    if (netmask == NULL || !address_from_sockaddr(netmask, &mask) ||
        mask.family != address->family) {
        return network;
    }
    unsigned size = address->family == 4 ? 4 : 16;
    unsigned bits = 0;
    for (unsigned i = 0; i < size; i++) {
        bits += (unsigned)__builtin_popcount(mask.bytes[i]);
        network.address.bytes[i] &= mask.bytes[i];
    }
    network.bits = (uint8_t)bits;
    return network;
}

static int compare(const void *a, const void *b)
{
    const struct interface_address *one = a;
    const struct interface_address *two = b;
    return address_compare(&one->address, &two->address);
}

enum result interfaces_list(struct interface_address **out, size_t *out_count, struct error *err)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0) {
        return error_set_os(err, ERR_IO, "cannot list the network interfaces");
    }
    struct interface_address *list = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (const struct ifaddrs *entry = all; entry != NULL; entry = entry->ifa_next) {
        struct address address;
        if (entry->ifa_addr == NULL || (entry->ifa_flags & IFF_UP) == 0 ||
            !address_from_sockaddr(entry->ifa_addr, &address)) {
            continue;
        }
        address.port = 0;
        if (count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            list = memory_resize(list, capacity * sizeof(*list));
        }
        list[count].address = address;
        list[count].interface = if_nametoindex(entry->ifa_name);
        list[count].is_loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
        list[count].network = network_of(&address, entry->ifa_netmask);
        count++;
    }
    freeifaddrs(all);
    size_t kept = 0;
    if (count > 0) {
        qsort(list, count, sizeof(*list), compare);
        for (size_t i = 0; i < count; i++) {
            if (kept == 0 || compare(&list[kept - 1], &list[i]) != 0) {
                list[kept++] = list[i];
            }
        }
    }
    *out = list;
    *out_count = kept;
    return OK;
}
