/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two rdata are alike where everything but their names is equal octet for octet, and the names,
 * which then stand in the same places, are equal without case. The names in other types need no
 * look: there the canonical form is without case, and the builder has merged the records.
 */
#include "zone/alike.h"

#include "wire/name.h"
#include "wire/rdata.h"

enum { NAMES_MAX = 4 };

static bool is_alike(uint16_t type, struct slice a, struct slice b)
{
    uint16_t at[NAMES_MAX];
    size_t offset = 0;
    if (a.size != b.size) {
        return false;
    }
    size_t count = rdata_name_offsets(type, a, at);
    for (size_t i = 0; i < count; i++) {
        size_t size = name_size(a.data + at[i]);
        /* What stands before the name is equal, so that the other one has a name here too. */
        if (memcmp(a.data + offset, b.data + offset, at[i] - offset) != 0 ||
            !name_equal(a.data + at[i], b.data + at[i])) {
            return false;
        }
        offset = at[i] + size;
    }
    return memcmp(a.data + offset, b.data + offset, a.size - offset) == 0;
}

bool alike_find(const struct rrset *rrset, struct slice *out)
{
    size_t first_offset = 0;
    struct slice first;
    while (rrset_next_rdata(rrset, &first_offset, &first)) {
        size_t offset = first_offset;
        struct slice other;
        while (rrset_next_rdata(rrset, &offset, &other)) {
            if (is_alike(rrset->type, first, other)) {
                *out = other;
                return true;
            }
        }
    }
    return false;
}
