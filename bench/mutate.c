/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sends packets that nobody should send, and judges what comes back:
 *
 *   mutate ADDRESS PORT ZONE PACKETS SEED
 *
 * Sound messages of every kind (queries, EDNS with options, NOTIFY, UPDATE, IXFR, TSIG, a response)
 * are changed in a few places: bits, octets that mean something, counts, lengths, pointers, cuts,
 * insertions, a message inside another. Four of five go over UDP, the rest over TCP, several on a
 * connection, some with a length that lies. What comes back must be an answer to something that was
 * a query, and an error of the message format no longer than what it answers.
 *
 * Prints one JSON object; exit status 1 and the packet in hexadecimal where something is wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { SEEDS = 64, MAX_SIZE = 4000, IDS = 65536, WINDOW = 32, TCP_SHARE = 5 };

struct packet {
    uint16_t size;
    uint8_t bytes[600];
};

struct sent {
    uint16_t size;
    uint8_t bytes[MAX_SIZE];
};

static struct packet seeds[SEEDS];
static unsigned seed_count;
static struct sent *sent_by_id; /* IDS of them; size 0: not sent */
static uint64_t random_state;
static struct sockaddr_in server;
static uint64_t answered, errors, octets_out, octets_back;

static uint64_t draw(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return below == 0 ? 0 : random_state % below;
}

/* ---- sound messages ---- */

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void add16(struct packet *p, unsigned value)
{
    put16(p->bytes + p->size, value);
    p->size = (uint16_t)(p->size + 2);
}

static void add(struct packet *p, const void *data, size_t size)
{
    memcpy(p->bytes + p->size, data, size);
    p->size = (uint16_t)(p->size + size);
}

static void add_name(struct packet *p, const char *text)
{
    while (*text != '\0' && *text != '.') {
        uint8_t size = (uint8_t)strcspn(text, ".");
        add(p, &size, 1);
        add(p, text, size);
        text += size + (text[size] == '.');
    }
    add(p, "", 1);
}

static struct packet *begin(unsigned flags, const char *owner, unsigned type, unsigned class)
{
    struct packet *p = &seeds[seed_count++];
    memset(p, 0, sizeof(*p));
    put16(p->bytes + 2, flags);
    put16(p->bytes + 4, 1);
    p->size = 12;
    add_name(p, owner);
    add16(p, type);
    add16(p, class);
    return p;
}

/* Into section 1..3, with the question's name as its owner. */
static void add_record(struct packet *p, unsigned section, unsigned type, unsigned class,
                       const void *rdata, size_t size)
{
    p->bytes[4 + 2 * section + 1]++;
    add16(p, 0xc00c);
    add16(p, type);
    add16(p, class);
    add16(p, 0);
    add16(p, 300);
    add16(p, (unsigned)size);
    add(p, rdata, size);
}

static void add_opt(struct packet *p, unsigned version, const void *options, size_t size)
{
    p->bytes[11]++;
    add(p, "", 1);
    add16(p, 41);
    add16(p, 4096);
    add16(p, version);
    add16(p, 0x8000);
    add16(p, (unsigned)size);
    add(p, options, size);
}

static void add_tsig(struct packet *p)
{
    static const uint8_t rest[] = {0, 0, 0x67, 0, 0, 0, 1, 44, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0};
    p->bytes[11]++;
    add_name(p, "known.");
    add16(p, 250);
    add16(p, 255);
    add16(p, 0);
    add16(p, 0);
    add16(p, 13 + sizeof(rest));
    add_name(p, "hmac-sha256.");
    add(p, rest, sizeof(rest));
}

static const uint8_t soa_rdata[] = {0xc0, 0x0c, 0xc0, 0x0c, 0, 0, 0, 1, 0, 0, 0, 2,
                                    0,    0,    0,    3,    0, 0, 0, 4, 0, 0, 0, 5};

static void make_seeds(const char *zone)
{
    static const unsigned types[] = {1, 2, 6, 16, 43, 251, 252, 255, 65280};
    static const char *const prefixes[] = {"", "www.", "no.", "x.sub.", "a.b.d."};
    static const uint8_t options[][24] = {
        {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8},
        {0, 3, 0, 0, 0, 9, 0, 0},
        {0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2},
        {0, 11, 0, 0, 0, 12, 0, 4, 0, 0, 0, 0},
        {255, 255, 0, 2, 1, 1},
        {0, 10, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 9, 9, 9, 9}};
    static const size_t sizes[] = {12, 8, 11, 12, 6, 20};
    char owner[300];
    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        snprintf(owner, sizeof(owner), "%s%s", prefixes[i % 5], zone);
        begin(0x0100, owner, types[i], 1);
    }
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        add_opt(begin(0, zone, 6, 1), 0, options[i], sizes[i]);
    }
    add_opt(begin(0, zone, 1, 1), 1, "", 0);
    begin(0, "version.bind.", 16, 3);
    begin(0, "elsewhere.org.", 1, 1);
    begin(0, "", 2, 1);
    begin(0x2000, zone, 6, 1);                                                    /* NOTIFY */
    add_record(begin(0x2400, zone, 6, 1), 1, 6, 1, soa_rdata, sizeof(soa_rdata)); /* with SOA */
    add_record(begin(0x2800, zone, 6, 1), 2, 1, 1, "\300\0\2\5", 4);              /* UPDATE adds */
    add_record(begin(0x2800, zone, 6, 1), 2, 16, 255, "", 0);
    struct packet *update = begin(0x2800, zone, 6, 1);
    add_record(update, 1, 255, 255, "", 0);
    add_record(update, 2, 64, 1, "\0\1\0\0\1\0\3\2h2", 10);                    /* SVCB */
    add_record(update, 2, 42, 1, "\0\1\30\3\300\0\2", 7);                      /* APL */
    add_record(begin(0, zone, 251, 1), 2, 6, 1, soa_rdata, sizeof(soa_rdata)); /* IXFR */
    add_tsig(begin(0, zone, 6, 1));
    add_tsig(begin(0, zone, 252, 1));
    struct packet *both = begin(0x2800, zone, 6, 1);
    add_record(both, 2, 1, 1, "\300\0\2\6", 4);
    add_opt(both, 0, options[0], sizes[0]);
    add_tsig(both);
    begin(0x8180, zone, 1, 1); /* a response */
}

/* ---- changes ---- */

static size_t insert(uint8_t *bytes, size_t size, size_t at, const uint8_t *what, size_t count)
{
    if (size + count > MAX_SIZE) {
        return size;
    }
    memmove(bytes + at + count, bytes + at, size - at);
    memcpy(bytes + at, what, count);
    return size + count;
}

static size_t mutate(uint8_t *bytes)
{
    static const uint8_t words[] = {0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xc1, 0xff};
    static const unsigned counts[] = {0, 1, 2, 255, 65535};
    const struct packet *seed = &seeds[draw(seed_count)];
    size_t size = seed->size;
    memcpy(bytes, seed->bytes, size);
    for (uint64_t n = draw(5); n != 0 && size != 0; n--) {
        size_t at = draw(10) < 7 ? draw(size) : draw(size < 12 ? size : 12);
        uint8_t noise[40];
        switch (draw(9)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << draw(8));
            break;
        case 1:
            bytes[at] = words[draw(sizeof(words))];
            break;
        case 2:
            size = at;
            break;
        case 3:
            for (unsigned i = 0; i < sizeof(noise); i++) {
                noise[i] = (uint8_t)draw(256);
            }
            size = insert(bytes, size, at, noise, 1 + draw(sizeof(noise)));
            break;
        case 4: {
            size_t cut = 1 + draw(8);
            cut = cut > size - at ? size - at : cut;
            memmove(bytes + at, bytes + at + cut, size - at - cut);
            size -= cut;
            break;
        }
        case 5:
            if (size >= 12) {
                put16(bytes + 4 + 2 * draw(4), counts[draw(5)]);
            }
            break;
        case 6: {
            const struct packet *other = &seeds[draw(seed_count)];
            size = insert(bytes, size, size, other->bytes + 12, (size_t)other->size - 12);
            break;
        }
        case 7:
            put16(noise, 0xc000 | (unsigned)draw(draw(2) == 0 ? 64 : 0x4000));
            size = insert(bytes, size, at, noise, 2);
            break;
        case 8:
            if (at + 1 < size) {
                put16(bytes + at, counts[draw(5)]);
            }
            break;
        }
    }
    return size;
}

/* ---- what comes back ---- */

static void complain(const char *what, const uint8_t *bytes, size_t size)
{
    printf("%s: ", what);
    for (size_t i = 0; i < size; i++) {
        printf("%02x", bytes[i]);
    }
    printf("\n");
    exit(1);
}

static void judge(const uint8_t *reply, size_t size)
{
    if (size < 12 || (reply[2] & 0x80) == 0) {
        complain("not an answer", reply, size);
    }
    const struct sent *sent = &sent_by_id[reply[0] << 8 | reply[1]];
    if (sent->size < 12) {
        complain("an answer to less than a header, or to nothing", reply, size);
    }
    if ((sent->bytes[2] & 0x80) != 0) {
        complain("an answer to a response", sent->bytes, sent->size);
    }
    unsigned rcode = reply[3] & 15;
    answered++;
    if (rcode == 1 || rcode == 4) {
        errors++;
        octets_out += sent->size;
        octets_back += size;
        if (size > sent->size) {
            complain("an error longer than what it answers", sent->bytes, sent->size);
        }
    }
}

static size_t next_packet(uint8_t *bytes, unsigned *id)
{
    size_t size = mutate(bytes);
    *id = (*id + 1) % IDS;
    if (size >= 2) {
        put16(bytes, *id);
        sent_by_id[*id].size = (uint16_t)size;
        memcpy(sent_by_id[*id].bytes, bytes, size);
    }
    return size;
}

static void drain(int fd, int wait_ms)
{
    uint8_t reply[65536];
    struct pollfd one = {.fd = fd, .events = POLLIN};
    while (poll(&one, 1, wait_ms) > 0) {
        ssize_t got = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
        if (got > 0) {
            judge(reply, (size_t)got);
        }
        wait_ms = 0;
    }
}

static void over_udp(int fd, unsigned *id)
{
    uint8_t bytes[MAX_SIZE];
    for (unsigned n = 0; n < WINDOW; n++) {
        size_t size = next_packet(bytes, id);
        (void)!send(fd, bytes, size, 0);
    }
    drain(fd, 1);
}

static unsigned over_tcp(unsigned *id)
{
    static uint8_t stream[64 * (MAX_SIZE + 2)], back[1 << 20];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_usec = 2000};
    unsigned count = 1 + (unsigned)draw(40);
    size_t size = 0, got = 0;
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
        complain("no connection", (const uint8_t *)strerror(errno), 0);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (unsigned n = 0; n < count; n++) {
        size_t message = next_packet(stream + size + 2, id);
        /* What follows a lie is read as something else: then nothing is judged. */
        bool lies = draw(200) == 0;
        put16(stream + size, lies ? (unsigned)draw(65536) : (unsigned)message);
        size += 2 + message;
        if (lies) {
            count = 0;
        }
    }
    bool is_judged = count != 0;
    (void)!send(fd, stream, size, MSG_NOSIGNAL);
    if (draw(2) == 0) {
        shutdown(fd, SHUT_WR);
    }
    ssize_t more;
    while (got < sizeof(back) && (more = recv(fd, back + got, sizeof(back) - got, 0)) > 0) {
        got += (size_t)more;
    }
    close(fd);
    for (size_t at = 0; is_judged && at + 2 <= got;) {
        size_t length = (size_t)back[at] << 8 | back[at + 1];
        if (at + 2 + length > got) {
            break;
        }
        judge(back + at + 2, length);
        at += 2 + length;
    }
    return count == 0 ? 1 : count;
}

int main(int argc, char **argv)
{
    if (argc != 6 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        fprintf(stderr, "usage: mutate ADDRESS PORT ZONE PACKETS SEED\n");
        return 2;
    }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    make_seeds(argv[3]);
    uint64_t packets = strtoull(argv[4], NULL, 10), tcp = 0, udp = 0;
    random_state = strtoull(argv[5], NULL, 10) * 0x9e3779b97f4a7c15u + 1;
    sent_by_id = calloc(IDS, sizeof(sent_by_id[0]));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sent_by_id == NULL || fd < 0 ||
        connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0) {
        perror("mutate");
        return 2;
    }
    unsigned id = 0;
    while (udp + tcp < packets) {
        if (tcp * TCP_SHARE < udp) {
            tcp += over_tcp(&id);
        } else {
            over_udp(fd, &id);
            udp += WINDOW;
        }
    }
    drain(fd, 200);
    printf("{\"udp\": %llu, \"tcp\": %llu, \"answered\": %llu, \"errors\": %llu, \"error_octets\": "
           "%llu, "
           "\"error_octets_asked\": %llu}\n",
           (unsigned long long)udp, (unsigned long long)tcp, (unsigned long long)answered,
           (unsigned long long)errors, (unsigned long long)octets_back,
           (unsigned long long)octets_out);
    close(fd);
    free(sent_by_id);
    return 0;
}
