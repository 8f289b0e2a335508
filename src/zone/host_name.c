/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host names: letters, digits and hyphens (RFC 952, RFC 1123 2.1). The DNS itself takes any octet
 * (RFC 2181 11), so this is a check of what operators mean, with BIND's rules for check-names:
 *
 *   owners   of A, AAAA, A6, WKS and MX; a wildcard may stand first. Not meant are the names under
 *            which Active Directory (gc._msdcs) and SPF macros (_spf and its kin, type A) keep data
 *   targets  of NS, MX, SRV, AFSDB and RT; of PTR in the reverse trees; the SOA's server
 *   mailbox  of SOA and RP: the first label is a user's name, the others a host's
 */
#include "zone/host_name_impl.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "wire/rdata.h"

enum { TYPE_WKS = 11, TYPE_RP = 17, TYPE_AFSDB = 18, TYPE_RT = 21, TYPE_A6 = 38 };

/* 1: letters and digits; 2: the hyphen, which may not be at either end of a label. */
static const uint8_t octet_kinds[256] = {
    ['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1,
    ['8'] = 1, ['9'] = 1, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1,
    ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1,
    ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1, ['V'] = 1,
    ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1,
    ['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1,
    ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1, ['t'] = 1,
    ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1, ['-'] = 2,
};

static bool label_is_valid(const uint8_t *label)
{
    unsigned size = label[0];
    for (unsigned i = 1; i <= size; i++) {
        if (octet_kinds[label[i]] == 0) {
            return false;
        }
    }
    return octet_kinds[label[1]] == 1 && octet_kinds[label[size]] == 1;
}

#ifdef __SSE2__
/* Which of sixteen octets are letters, digits or hyphens, and which are hyphens. */
static ALWAYS_INLINE uint64_t host_octets(const uint8_t *p, uint64_t *hyphens)
{
    __m128i text;
    memcpy(&text, p, sizeof(text));
    __m128i letter = _mm_sub_epi8(_mm_or_si128(text, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i digit = _mm_sub_epi8(text, _mm_set1_epi8('0'));
    __m128i hyphen = _mm_cmpeq_epi8(text, _mm_set1_epi8('-'));
    __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    *hyphens = (uint64_t)(unsigned)_mm_movemask_epi8(hyphen);
    return (uint64_t)(unsigned)_mm_movemask_epi8(
        _mm_or_si128(hyphen, _mm_or_si128(is_letter, is_digit)));
}

/* Sixteen octets at a time; of nearly all names it says yes. False says nothing. */
static bool is_surely_valid(const uint8_t *wire)
{
    uint64_t lengths = 0; /* a bit where a length octet stands */
    size_t size = 0;
    for (; wire[size] != 0; size += 1u + wire[size]) {
        if (size >= 64) {
            return false;
        }
        lengths |= (uint64_t)1 << size;
    }
    size_t last = size; /* the root label */
    size++;
    if (size < 16 || size > 64) {
        return false;
    }
    lengths |= (uint64_t)1 << last;
    uint64_t valid = 0;
    uint64_t hyphens = 0;
    for (size_t at = 0;; at += 16) {
        size_t from = at + 16 <= size ? at : size - 16;
        uint64_t here;
        valid |= host_octets(wire + from, &here) << from;
        hyphens |= here << from;
        if (at + 16 >= size) {
            break;
        }
    }
    uint64_t all = UINT64_MAX >> (64 - size);
    return ((valid | lengths) & all) == all &&
           ((hyphens & ~lengths) & (lengths << 1 | lengths >> 1)) == 0;
}
#else
static bool is_surely_valid(const uint8_t *wire)
{
    (void)wire;
    return false;
}
#endif

bool host_name_is_valid(const uint8_t *wire, bool allow_wildcard)
{
    if (LIKELY(is_surely_valid(wire))) {
        return true;
    }
    if (allow_wildcard && name_is_wildcard(wire)) {
        wire += 2;
    }
    for (; *wire != 0; wire += 1 + *wire) {
        if (!label_is_valid(wire)) {
            return false;
        }
    }
    return true;
}

static bool mailbox_is_valid(const uint8_t *wire)
{
    for (unsigned i = 1; i <= wire[0]; i++) {
        if (wire[i] <= ' ' || wire[i] >= 0x7f) {
            return false;
        }
    }
    return *wire == 0 || host_name_is_valid(wire + 1 + wire[0], false);
}

/* `label` equals `text` ("\4_spf" with its length octet) without case. */
static bool label_is(const uint8_t *label, const char *text)
{
    if (label[0] != (uint8_t)text[0]) {
        return false;
    }
    for (unsigned i = 1; i <= label[0]; i++) {
        uint8_t c = label[i] >= 'A' && label[i] <= 'Z' ? label[i] | 0x20 : label[i];
        if (c != (uint8_t)text[i]) {
            return false;
        }
    }
    return true;
}

static bool has_spf_label(const uint8_t *wire)
{
    for (; *wire != 0; wire += 1 + *wire) {
        if (label_is(wire, "\4_spf") || label_is(wire, "\11_spf_rate") ||
            label_is(wire, "\13_spf_verify")) {
            return true;
        }
    }
    return false;
}

bool host_name_check_owner(const uint8_t *owner, uint16_t type)
{
    bool is_address = type == TYPE_A || type == TYPE_AAAA;
    if (!is_address && type != TYPE_MX && type != TYPE_WKS && type != TYPE_A6) {
        return true;
    }
    if (host_name_is_valid(owner, true)) {
        return true;
    }
    if (is_address && label_is(owner, "\2gc") && label_is(owner + 3, "\6_msdcs")) {
        return true;
    }
    return type == TYPE_A && has_spf_label(owner);
}

static bool is_reverse(const uint8_t *owner)
{
    static const uint8_t ipv4[] = "\7in-addr\4arpa";
    static const uint8_t ipv6[] = "\3ip6\4arpa";
    static const uint8_t ipv6_old[] = "\3ip6\3int";
    return name_is_subdomain(owner, ipv4) || name_is_subdomain(owner, ipv6) ||
           name_is_subdomain(owner, ipv6_old);
}

const uint8_t *host_name_check_rdata(const uint8_t *owner, uint16_t type, struct slice rdata)
{
    if (LIKELY(type == TYPE_NS)) {
        return host_name_is_valid(rdata.data, false) ? NULL : rdata.data;
    }
    uint16_t offsets[4];
    bool wants_host = type == TYPE_MX || type == TYPE_SRV || type == TYPE_SOA ||
                      type == TYPE_AFSDB || type == TYPE_RT ||
                      (type == TYPE_PTR && is_reverse(owner));
    if (!wants_host && type != TYPE_RP) {
        return NULL;
    }
    if (rdata_name_offsets(type, rdata, offsets) == 0) {
        return NULL;
    }
    const uint8_t *first = rdata.data + offsets[0];
    if (wants_host && !host_name_is_valid(first, false)) {
        return first;
    }
    if (type == TYPE_SOA) {
        const uint8_t *mailbox = first + name_size(first);
        return mailbox_is_valid(mailbox) ? NULL : mailbox;
    }
    return type == TYPE_RP && !mailbox_is_valid(first) ? first : NULL;
}
