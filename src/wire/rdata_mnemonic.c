/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names for numbers inside rdata: DNSSEC algorithms (IANA "DNS Security Algorithm Numbers"), types
 * of certificates (RFC 4398 2.1), digests (RFC 4034 A.2), NSEC3 hashes, schemes of DSYNC (RFC 9859
 * 2.1), response codes in TSIG and TKEY, and the protocols and services of WKS (RFC 1035 3.4.2;
 * numbers from the IANA registries; an own short list, because the system's files differ between
 * machines and a zone must not).
 *
 * The tables are short and these names are rare in zone files, so a search from the front is
 * enough. Names with read_only are taken, but not written, since not all readers know them.
 */
#include <strings.h>

#include "wire/rdata_impl.h"

struct mnemonic {
    const char *name;
    uint16_t number;
    bool read_only;
};

static const struct mnemonic algorithms[] = {
    {"RSAMD5", 1, false},
    {"DH", 2, false},
    {"DSA", 3, false},
    {"RSASHA1", 5, false},
    {"DSA-NSEC3-SHA1", 6, true},
    {"NSEC3DSA", 6, true},
    {"RSASHA1-NSEC3-SHA1", 7, true},
    {"NSEC3RSASHA1", 7, true},
    {"RSASHA256", 8, false},
    {"RSASHA512", 10, false},
    {"ECC-GOST", 12, true},
    {"ECCGOST", 12, true},
    {"ECDSAP256SHA256", 13, false},
    {"ECDSAP384SHA384", 14, false},
    {"ED25519", 15, false},
    {"ED448", 16, false},
    {"SM2SM3", 17, true},
    {"ECC-GOST12", 23, true},
    {"INDIRECT", 252, false},
    {"PRIVATEDNS", 253, false},
    {"PRIVATEOID", 254, false},
};

static const struct mnemonic cert_types[] = {
    {"PKIX", 1, false},  {"SPKI", 2, false},  {"PGP", 3, false},    {"IPKIX", 4, false},
    {"ISPKI", 5, false}, {"IPGP", 6, false},  {"ACPKIX", 7, false}, {"IACPKIX", 8, false},
    {"URI", 253, false}, {"OID", 254, false},
};

static const struct mnemonic digest_types[] = {
    {"SHA-1", 1, true}, {"SHA1", 1, true},    {"SHA-256", 2, true}, {"SHA256", 2, true},
    {"GOST", 3, true},  {"SHA-384", 4, true}, {"SHA384", 4, true},
};

static const struct mnemonic hash_types[] = {{"SHA-1", 1, true}, {"SHA1", 1, true}};

static const struct mnemonic schemes[] = {{"NOTIFY", 1, false}};

/* As rcode_name, but 16 is BADSIG where a TSIG or TKEY record says it (RFC 8945 3). */
static const struct mnemonic rcodes[] = {
    {"NOERROR", 0, false},   {"FORMERR", 1, false},    {"SERVFAIL", 2, false},
    {"NXDOMAIN", 3, false},  {"NOTIMP", 4, false},     {"REFUSED", 5, false},
    {"YXDOMAIN", 6, false},  {"YXRRSET", 7, false},    {"NXRRSET", 8, false},
    {"NOTAUTH", 9, false},   {"NOTZONE", 10, false},   {"BADSIG", 16, false},
    {"BADVERS", 16, true},   {"BADKEY", 17, false},    {"BADTIME", 18, false},
    {"BADMODE", 19, false},  {"BADNAME", 20, false},   {"BADALG", 21, false},
    {"BADTRUNC", 22, false}, {"BADCOOKIE", 23, false},
};

static const struct mnemonic protocols[] = {
    {"icmp", 1, true}, {"igmp", 2, true}, {"ggp", 3, true},  {"st", 5, true},   {"tcp", 6, true},
    {"egp", 8, true},  {"igp", 9, true},  {"udp", 17, true}, {"hmp", 20, true}, {"rdp", 27, true},
};

static const struct mnemonic services[] = {
    {"echo", 7, true},         {"discard", 9, true},       {"systat", 11, true},
    {"daytime", 13, true},     {"netstat", 15, true},      {"qotd", 17, true},
    {"chargen", 19, true},     {"ftp-data", 20, true},     {"ftp", 21, true},
    {"ssh", 22, true},         {"telnet", 23, true},       {"smtp", 25, true},
    {"time", 37, true},        {"rlp", 39, true},          {"nameserver", 42, true},
    {"nicname", 43, true},     {"whois", 43, true},        {"tacacs", 49, true},
    {"domain", 53, true},      {"bootps", 67, true},       {"bootpc", 68, true},
    {"tftp", 69, true},        {"gopher", 70, true},       {"finger", 79, true},
    {"http", 80, true},        {"www", 80, true},          {"kerberos", 88, true},
    {"supdup", 95, true},      {"hostname", 101, true},    {"hostnames", 101, true},
    {"iso-tsap", 102, true},   {"x400", 103, true},        {"csnet-ns", 105, true},
    {"rtelnet", 107, true},    {"pop2", 109, true},        {"pop3", 110, true},
    {"sunrpc", 111, true},     {"auth", 113, true},        {"sftp", 115, true},
    {"uucp-path", 117, true},  {"nntp", 119, true},        {"ntp", 123, true},
    {"netbios-ns", 137, true}, {"netbios-dgm", 138, true}, {"netbios-ssn", 139, true},
    {"imap", 143, true},       {"imap2", 143, true},       {"snmp", 161, true},
    {"snmp-trap", 162, true},  {"bgp", 179, true},         {"irc", 194, true},
    {"ldap", 389, true},       {"https", 443, true},       {"submission", 587, true},
    {"ldaps", 636, true},      {"domain-s", 853, true},    {"imaps", 993, true},
    {"pop3s", 995, true},
};

struct mnemonics {
    const struct mnemonic *entries;
    size_t count;
};

static struct mnemonics set_entries(enum mnemonic_set set)
{
    switch (set) {
    case MNEMONIC_ALGORITHM:
        return (struct mnemonics){algorithms, ARRAY_SIZE(algorithms)};
    case MNEMONIC_CERT_TYPE:
        return (struct mnemonics){cert_types, ARRAY_SIZE(cert_types)};
    case MNEMONIC_DIGEST_TYPE:
        return (struct mnemonics){digest_types, ARRAY_SIZE(digest_types)};
    case MNEMONIC_HASH_TYPE:
        return (struct mnemonics){hash_types, ARRAY_SIZE(hash_types)};
    case MNEMONIC_SCHEME:
        return (struct mnemonics){schemes, ARRAY_SIZE(schemes)};
    case MNEMONIC_RCODE:
        return (struct mnemonics){rcodes, ARRAY_SIZE(rcodes)};
    case MNEMONIC_PROTOCOL:
        return (struct mnemonics){protocols, ARRAY_SIZE(protocols)};
    case MNEMONIC_SERVICE:
        return (struct mnemonics){services, ARRAY_SIZE(services)};
    }
    REQUIRE(false);
}

bool mnemonic_find(enum mnemonic_set set, const char *text, size_t size, uint16_t *out)
{
    struct mnemonics known = set_entries(set);
    for (size_t i = 0; i < known.count; i++) {
        const char *name = known.entries[i].name;
        if (strlen(name) == size && strncasecmp(name, text, size) == 0) {
            *out = known.entries[i].number;
            return true;
        }
    }
    return false;
}

const char *mnemonic_name(enum mnemonic_set set, uint16_t number)
{
    struct mnemonics known = set_entries(set);
    for (size_t i = 0; i < known.count; i++) {
        if (known.entries[i].number == number && !known.entries[i].read_only) {
            return known.entries[i].name;
        }
    }
    return NULL;
}
