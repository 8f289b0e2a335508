/* SPDX-License-Identifier: BSD-3-Clause */
/* One answer while it is being made; shared by the files of this room. */
#ifndef ANSWER_ANSWER_IMPL_H
#define ANSWER_ANSWER_IMPL_H

#include "answer/answer.h"
#include "answer/nsec3.h"
#include "answer/response.h"

enum {
    CHAIN_MAX = 16,   /* CNAMEs and DNAMEs followed in one answer */
    PROOFS_MAX = 64,  /* different denial records in one answer */
    TARGETS_MAX = 64, /* owners whose addresses are in the additional section */
    UDP_SIZE_DEFAULT = 1232,
};

/* RFC 8914 */
enum {
    EDE_NOT_READY = 14,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
    EDE_NOT_SUPPORTED = 21,
    EDE_INVALID_DATA = 24,
    EDE_NSEC3_ITERATIONS = 27,
};

enum denial { DENIAL_UNKNOWN, DENIAL_NONE, DENIAL_NSEC, DENIAL_NSEC3 };

struct extended_error {
    bool set;
    uint16_t code;
    const char *text;
};

/* An RRset that proves something, with its signatures; owner NULL: none. */
struct proof {
    const struct owner *owner;
    struct rrset rrset;
    struct rrset signatures; /* count 0: none */
};

/* Where in the chain of NSEC or NSEC3 a name of one question belongs, looked for before it is
 * answered (foresee.c). */
struct foreseen {
    const struct zone_version *version;
    const uint8_t *name; /* NULL: nothing was */
    const struct owner *owner;
    enum nsec3_place place;
    uint8_t hash[NSEC3_HASH_SIZE]; /* DENIAL_NSEC3 */
};

enum { READY_SIZE = 512, READY_POINTERS = 8, READY_NAMES = 2 };

/*
 * A record of a negative answer with its signatures, as they were written for one question of the
 * batch, to be written again for others (ready.c). All that changes are the pointers.
 */
struct ready {
    uint16_t size;       /* 0: nothing is kept */
    bool is_refused;     /* it was tried in vain */
    uint16_t plain_size; /* of the first record, without the signatures behind it */
    bool is_signed;      /* the signatures are there, or there are none */
    uint8_t count;       /* of records, with the signatures */
    uint8_t name_count;
    uint8_t pointer_count;
    struct ready_pointer {
        uint16_t at;
        bool is_inside;
        int16_t to; /* from the first octet of these records where `is_inside`, else from the end of
                     * the question's name: below 0 */
    } pointers[READY_POINTERS];
    /* Names that were written out. */
    struct ready_name {
        const uint8_t *wire; /* borrowed from the version */
        uint16_t at;
        uint8_t size;
        uint8_t literal;
        uint8_t tail; /* octets before its ancestor one label below the apex; size: it has none */
    } names[READY_NAMES];
    uint8_t octets[READY_SIZE];
};

/*
 * What the questions of one batch share (denial_memo.c): how the version they are answered from
 * denies, and what was found for the last closest encloser. In a zone without deep names that is
 * the apex for nearly all that do not exist, and half of their proof is the same.
 */
struct denial_memo {
    const struct zone_version *version; /* NULL: nothing is kept */
    unsigned uses;                      /* for a "no" by the short way */
    enum denial denial;                 /* denial_memo_denial() finds out */
    bool too_many_iterations;           /* of the chain that is not used */
    struct nsec3_params nsec3;          /* DENIAL_NSEC3 */
    struct proof soa;
    const struct owner *encloser; /* NULL: nothing is kept of any */
    struct proof match;           /* NSEC3 of the encloser itself */
    struct proof wildcard; /* NSEC or NSEC3 that covers the wildcard below it, or matches it */
    const struct foreseen *foreseen; /* of the question that is answered now */
    struct ready ready_soa;
    struct ready ready_match;
    struct ready ready_wildcard;
};

struct answering {
    const struct answer_options *options;
    const struct zone_set *zones;
    int64_t now_s;
    struct answer_query *asked;
    const struct query *query;

    struct zone *zone; /* NULL where none is answered from */
    const struct zone_version *version;
    const struct owner *apex;

    uint16_t rcode;
    bool authoritative;
    bool truncated; /* nothing more is written once this is set */
    bool dnssec;    /* DO is set: signatures and proofs go along */
    struct denial_memo *memo;
    enum denial denial;
    struct extended_error error;
    const struct owner *answered; /* a positive answer to the type asked for, or NULL */
    struct rrset answered_rrset;

    unsigned proof_count;
    const struct owner *proofs[PROOFS_MAX];
    unsigned target_count;
    const struct owner *targets[TARGETS_MAX];

    struct response response;
};

/* A name on the way of an answer, and where it stands in the response. */
struct asked_name {
    const uint8_t *wire;
    uint16_t offset;  /* 0: not to be pointed at */
    bool is_question; /* then ancestors can be pointed at as well */
};

/*
 * Whether `name` (exactly its octets) is `top` or below it: name_is_subdomain() for names whose
 * sizes are known. What is elsewhere, as most servers of a delegation are, costs one comparison.
 */
static ALWAYS_INLINE bool name_is_below(struct slice name, const uint8_t *top, size_t top_size)
{
    if (name.size < top_size) {
        return false;
    }
    size_t tail = name.size - top_size;
    if (!octets_equal(name.data + tail, top, top_size)) {
        return false;
    }
    size_t at = 0;
    while (at < tail) {
        at += 1 + (size_t)name.data[at];
    }
    return at == tail;
}

/* answer.c: where zone data does not fit any more. */
void answering_truncate(struct answering *a);
/* answer.c: the first reason counts. */
void answering_explain(struct answering *a, uint16_t code, const char *text);

/* zone_answer.c: RFC 1034 4.3.2 within one zone, beginning with what the question met. */
void zone_answer(struct answering *a, const struct zone_lookup *lookup);

/* sections.c: one RRset of `owner` with its signatures where DO asks for them, as a unit, under the
 * name `as`. False: it did not fit (and TC is set, except for the additional section). */
bool write_rrset(struct answering *a, enum section section, struct response_owner as,
                 const struct owner *owner, const struct rrset *rrset, uint32_t ttl);
/* sections.c: how `owner`, an ancestor of `name` or itself, is written. */
struct response_owner owner_reference(const struct answering *a, const struct asked_name *name,
                                      const struct owner *owner);
/* sections.c: NS of the zone, where options ask for it. */
void write_authority_ns(struct answering *a);
/* sections.c: addresses for the names in `rrset` of `owner`, where options ask for them and while
 * they fit. */
void write_additional(struct answering *a, const struct owner *owner, const struct rrset *rrset);
/* sections.c: addresses of `owner`, under the name `as`. False: something did not fit. */
bool write_addresses(struct answering *a, const struct owner *owner, struct response_owner as);

/* referral.c */
void write_referral(struct answering *a, const struct asked_name *name, const struct owner *cut);

/* denial.c: which kind of proofs the zone has, found out at the first need. */
void denial_choose(struct answering *a);
/* denial.c: SOA of the zone with the negative TTL. */
void write_negative_soa(struct answering *a);
/*
 * denial.c: proofs into the authority section; nothing where none are wanted or to be had.
 * deny_name           `name` does not exist, nor does a wildcard below its closest encloser
 * deny_type           `name` exists without the type asked for
 * deny_wildcard_type  the wildcard below `encloser` that matches `name` has not the type
 * deny_closer_match   the wildcard below `encloser` was right: nothing closer to `name` exists
 */
void deny_name(struct answering *a, const uint8_t *name, const struct owner *encloser);
void deny_type(struct answering *a, const uint8_t *name);
void deny_wildcard_type(struct answering *a, const uint8_t *name, const struct owner *encloser);
void deny_closer_match(struct answering *a, const uint8_t *name, const struct owner *encloser);
/* denial_memo.c: for these two, at the first need. */
void denial_memo_begin(struct denial_memo *memo, const struct zone_version *version);
void denial_memo_find_denial(struct denial_memo *memo);
/* The memo knows `version` and its SOA. */
static ALWAYS_INLINE void denial_memo_version(struct denial_memo *memo,
                                              const struct zone_version *version)
{
    if (UNLIKELY(memo->version != version)) {
        denial_memo_begin(memo, version);
    }
}
/* How the version denies where DO is set; DENIAL_NONE: it has no proofs, or they are not to be
 * used. */
static ALWAYS_INLINE enum denial denial_memo_denial(struct denial_memo *memo)
{
    if (UNLIKELY(memo->denial == DENIAL_UNKNOWN)) {
        denial_memo_find_denial(memo);
    }
    return memo->denial;
}
/* denial_memo.c: the memo of a version with proofs knows `encloser`. False: it has no NSEC3 of its
 * own. */
MUST_CHECK bool denial_memo_encloser(struct denial_memo *memo, const struct owner *encloser);
/* denial_memo.c: takes the RRset of `type` of an owner, where it has one. */
bool proof_take(struct proof *out, const struct owner *owner, uint16_t type);

/* What was found for a hash in the chain of `params`. */
struct nsec3_found {
    struct proof proof;
    bool matches; /* else covers */
};
/* nsec3_chain.c: for `name`, in or below the zone. Costs a hash and a search. */
void nsec3_find(const struct zone_version *version, const struct nsec3_params *params,
                const uint8_t *name, struct nsec3_found *out);
/* nsec3_chain.c: the same for a hash whose place in the version is known. */
void nsec3_find_at(const struct zone_version *version, const struct nsec3_params *params,
                   const uint8_t hash[NSEC3_HASH_SIZE], const struct owner *owner,
                   enum nsec3_place place, struct nsec3_found *out);
/* foresee.c: for each of `count` questions what its denial will ask for, where one is to be
 * expected. */
void denial_foresee(struct denial_memo *memo, const struct zone_lookup_item *items,
                    struct answer_query *const *queries, size_t count, struct foreseen *out);
/* denial_nsec3.c: the same four with hashes; a->denial is DENIAL_NSEC3. */
void nsec3_deny_name(struct answering *a, const uint8_t *name, const struct owner *encloser);
void nsec3_deny_type(struct answering *a, const uint8_t *name);
void nsec3_deny_wildcard_type(struct answering *a, const uint8_t *name,
                              const struct owner *encloser);
void nsec3_deny_closer_match(struct answering *a, const uint8_t *name,
                             const struct owner *encloser);
/* denial.c: a denial RRset of `owner` into the authority section, each owner once. */
void write_proof(struct answering *a, const struct owner *owner, const struct rrset *rrset);
/* denial.c: "*" before `encloser`; size 0 where that is no name any more. */
void wildcard_of(const uint8_t *encloser, struct name *out);

/* chaos.c: questions of class CH that are about the server. */
void chaos_answer(struct answering *a);

/* direct.c: as quick_answer(), for fewer kinds of answers, and sooner. */
bool direct_answer(const struct answer_options *options, const struct zone_version *version,
                   const struct zone_lookup *lookup, struct answer_query *asked, size_t limit);
/*
 * quick.c: the answer to what is asked nearly always, as the other files would write it, octet for
 * octet; `lookup` is what the question met, `memo` that of its batch. False: not by this way, and
 * nothing of `asked` but the octets at `out` was touched.
 */
bool quick_answer(const struct answer_options *options, const struct zone_version *version,
                  const struct zone_lookup *lookup, struct denial_memo *memo,
                  struct answer_query *asked, size_t limit);

/* The largest UDP response, also what OPT offers. */
static ALWAYS_INLINE uint16_t edns_udp_size(const struct answer_options *options)
{
    return options->udp_size == 0 ? UDP_SIZE_DEFAULT : options->udp_size;
}
/* edns.c: octets to keep free for OPT with what is known to go into it; and the record itself. */
size_t opt_size(const struct answering *a);
void write_opt(struct answering *a, size_t limit);
#endif
