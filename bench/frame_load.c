/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A load generator for a server at the other end of a wire, cheap enough to leave the server as
 * what is measured.
 *
 *   frame_load INTERFACE ADDRESS PORT QUESTIONS SECONDS [OUTSTANDING]
 *
 * QUESTIONS: questions.h. Nothing goes through a socket: whole frames with the questions lie in a
 * map, and a program that the kernel runs for us (BPF_PROG_TEST_RUN, live frames) puts one after
 * the other on INTERFACE. The same program, run by the interface for what comes in, counts the
 * answers by rcode and drops them. Of 64 answers one goes on to a socket and is looked at: its
 * checksum by the kernel, its ID, its question and its rcode here.
 *
 * OUTSTANDING (192) questions are in flight; where no answer comes for 100 ms, those that are
 * missing count as lost and others take their place. `sending_seconds` of the result is how long it
 * was at it; where that is most of the time, the generator was the limit.
 *
 * Needs root, and the interface for itself. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "questions.h"

enum {
    ETHER = 14,
    IP4 = 20,
    UDP = 8,
    DNS_AT = ETHER + IP4 + UDP,
    DNS = 12,
    PORTS = 8,
    IDS = 65536,
    SAMPLE = 64,     /* one answer of so many is looked at; a multiple of PORTS */
    FRAME_MAX = 255, /* octets of a frame that is sent */
    RUN_MAX = 256,   /* frames by one system call */
    RUN_MIN = 24,
    HISTOGRAM = 100000,
    LOST_NS = 100000000,
    PAUSE_NS = 5000,
};

/* A map's value; the program works on it, and it is mapped here. */
struct counts {
    uint64_t next; /* the frame that goes next */
    uint64_t octets;
    uint64_t by_rcode[16];
};

struct ready_frame {
    uint32_t size;
    uint8_t bytes[FRAME_MAX + 1];
};

struct wire {
    unsigned interface;
    struct sockaddr_in here, there;
    uint8_t here_mac[6], there_mac[6];
    int sockets[PORTS]; /* their ports are those of the questions; answers come to the first only */
    uint16_t ports[PORTS];
    int counts_map, frames_map, program, link;
    volatile struct counts *counts;
    uint32_t frame_count;
};

static void die(const char *what)
{
    fprintf(stderr, "frame_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void put_u16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* RFC 1071. */
static uint32_t sum_of(uint32_t sum, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

/* ---- where to ---- */

/* Sockets, and by a first question the neighbour's Ethernet address, which the kernel looks up. */
static void reach(struct wire *wire, const char *interface, const struct question *first)
{
    for (unsigned i = 0; i < PORTS; i++) {
        socklen_t size = sizeof(wire->here);
        wire->sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (connect(wire->sockets[i], (struct sockaddr *)&wire->there, sizeof(wire->there)) != 0 ||
            getsockname(wire->sockets[i], (struct sockaddr *)&wire->here, &size) != 0) {
            die("connect");
        }
        wire->ports[i] = ntohs(wire->here.sin_port);
    }
    struct timeval patience = {.tv_sec = 2};
    uint8_t answer[1500];
    setsockopt(wire->sockets[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (send(wire->sockets[0], first->bytes, first->size, 0) < 0 ||
        recv(wire->sockets[0], answer, sizeof(answer), 0) < DNS) {
        die("no answer to the first question");
    }
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    if (ioctl(wire->sockets[0], SIOCGIFHWADDR, &request) != 0) {
        die(interface);
    }
    memcpy(wire->here_mac, request.ifr_hwaddr.sa_data, 6);
    FILE *neighbours = fopen("/proc/net/arp", "r");
    char line[200], wanted[INET_ADDRSTRLEN + 1], address[64];
    unsigned mac[6];
    bool found = false;
    inet_ntop(AF_INET, &wire->there.sin_addr, wanted, sizeof(wanted));
    while (neighbours != NULL && !found && fgets(line, sizeof(line), neighbours) != NULL) {
        found = sscanf(line, "%63s %*s %*s %x:%x:%x:%x:%x:%x", address, &mac[0], &mac[1], &mac[2],
                       &mac[3], &mac[4], &mac[5]) == 7 &&
                strcmp(address, wanted) == 0;
    }
    if (!found) {
        errno = ENOENT;
        die("the neighbour's address");
    }
    fclose(neighbours);
    for (unsigned i = 0; i < 6; i++) {
        wire->there_mac[i] = (uint8_t)mac[i];
    }
}

/* ---- the frames ---- */

static bool make_frame(const struct wire *wire, const struct question *q, uint32_t number,
                       struct ready_frame *out)
{
    uint8_t *ip = out->bytes + ETHER, *udp = ip + IP4, *dns = udp + UDP;
    if (DNS_AT + q->size > FRAME_MAX) {
        return false;
    }
    memset(out, 0, sizeof(*out));
    out->size = DNS_AT + q->size;
    memcpy(out->bytes, wire->there_mac, 6);
    memcpy(out->bytes + 6, wire->here_mac, 6);
    put_u16(out->bytes + 12, 0x0800);
    ip[0] = 0x45;
    put_u16(ip + 2, IP4 + UDP + (size_t)q->size);
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, &wire->here.sin_addr, 4);
    memcpy(ip + 16, &wire->there.sin_addr, 4);
    put_u16(ip + 10, ~sum_of(0, ip, IP4) & 0xffff);
    put_u16(udp, wire->ports[number % PORTS]);
    put_u16(udp + 2, ntohs(wire->there.sin_port));
    put_u16(udp + 4, UDP + (size_t)q->size);
    memcpy(dns, q->bytes, q->size);
    put_u16(dns, number % IDS);
    uint32_t sum = ~sum_of(17 + UDP + q->size, ip + 12, 8 + UDP + (size_t)q->size) & 0xffff;
    put_u16(udp + 6, sum == 0 ? 0xffff : sum);
    return true;
}

/* Of the questions those stay that fit in a frame: a question has the number of its frame. */
static void make_maps(struct wire *wire, struct question *questions, size_t count)
{
    struct bpf_map_create_opts mapped = {.sz = sizeof(mapped), .map_flags = BPF_F_MMAPABLE};
    wire->counts_map =
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "counts", 4, sizeof(struct counts), 1, &mapped);
    wire->frames_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "frames", 4, sizeof(struct ready_frame),
                                      (uint32_t)count, NULL);
    if (wire->counts_map < 0 || wire->frames_map < 0) {
        die("cannot make maps");
    }
    wire->counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, wire->counts_map, 0);
    if (wire->counts == MAP_FAILED) {
        die("cannot map the counts");
    }
    for (size_t i = 0; i < count; i++) {
        struct ready_frame frame;
        if (make_frame(wire, &questions[i], wire->frame_count, &frame)) {
            if (bpf_map_update_elem(wire->frames_map, &wire->frame_count, &frame, BPF_ANY) != 0) {
                die("cannot keep the frames");
            }
            questions[wire->frame_count++] = questions[i];
        }
    }
}

/* ---- the program ---- */

#define REGISTER(operation, into, from)                                                            \
    {                                                                                              \
        .code = BPF_ALU64 | (operation) | BPF_X, .dst_reg = (into), .src_reg = (from)              \
    }
#define CONSTANT(operation, into, value)                                                           \
    {                                                                                              \
        .code = BPF_ALU64 | (operation) | BPF_K, .dst_reg = (into), .imm = (int32_t)(value)        \
    }
#define LOAD(size, into, from, offset)                                                             \
    {                                                                                              \
        .code = BPF_LDX | BPF_MEM | (size), .dst_reg = (into), .src_reg = (from), .off = (offset)  \
    }
#define STORE(size, into, offset, from)                                                            \
    {                                                                                              \
        .code = BPF_STX | BPF_MEM | (size), .dst_reg = (into), .src_reg = (from), .off = (offset)  \
    }
#define JUMP(test, reg, value, skip)                                                               \
    {                                                                                              \
        .code = BPF_JMP32 | (test) | BPF_K, .dst_reg = (reg), .imm = (int32_t)(value),             \
        .off = (skip)                                                                              \
    }
#define WIDE_JUMP(test, reg, value, skip)                                                          \
    {                                                                                              \
        .code = BPF_JMP | (test) | BPF_K, .dst_reg = (reg), .imm = (int32_t)(value), .off = (skip) \
    }
#define JUMP_BY(test, reg, other, skip)                                                            \
    {                                                                                              \
        .code = BPF_JMP | (test) | BPF_X, .dst_reg = (reg), .src_reg = (other), .off = (skip)      \
    }
#define MAP(into, kind, map)                                                                       \
    {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = (into), .src_reg = (kind), .imm = (map)},       \
    {                                                                                              \
        0                                                                                          \
    }
#define CALL(function)                                                                             \
    {                                                                                              \
        .code = BPF_JMP | BPF_CALL, .imm = (function)                                              \
    }
#define EXIT                                                                                       \
    {                                                                                              \
        .code = BPF_JMP | BPF_EXIT                                                                 \
    }

/*
 * One program for both: what comes in by the interface is counted, what is run for us is filled and
 * sent. It could be two, but the kernel waits for all of its cores each time a program is run that
 * is attached nowhere.
 *
 * Registers: 2 the frame, 3 its end, 4 what is looked at, 5 the counts; for sending 6 the context,
 * 7 the frame in the map, 8 its size.
 */
static void load(struct wire *wire)
{
    enum { PASS = 34, SEND = PASS + 4, DROP = SEND + 35 };
    const struct bpf_insn code[] = {
        /* 0 */ LOAD(BPF_W, 4, 1, offsetof(struct xdp_md, ingress_ifindex)),
        JUMP(BPF_JNE, 4, wire->interface, SEND - 2),
        /* 2 */ LOAD(BPF_W, 2, 1, offsetof(struct xdp_md, data)),
        LOAD(BPF_W, 3, 1, offsetof(struct xdp_md, data_end)),
        REGISTER(BPF_MOV, 4, 2),
        CONSTANT(BPF_ADD, 4, DNS_AT + DNS),
        /* 6 */ JUMP_BY(BPF_JGT, 4, 3, PASS - 7),
        LOAD(BPF_H, 4, 2, 12),
        JUMP(BPF_JNE, 4, htons(0x0800), PASS - 9),
        LOAD(BPF_B, 4, 2, ETHER),
        /* 10 */ JUMP(BPF_JNE, 4, 0x45, PASS - 11),
        LOAD(BPF_B, 4, 2, ETHER + 9),
        JUMP(BPF_JNE, 4, 17, PASS - 13),
        LOAD(BPF_H, 4, 2, ETHER + IP4),
        /* 14 */ JUMP(BPF_JNE, 4, wire->there.sin_port, PASS - 15),
        LOAD(BPF_B, 4, 2, DNS_AT + 2),
        JUMP(BPF_JLT, 4, 0x80, PASS - 17),
        LOAD(BPF_B, 4, 2, DNS_AT + 1),
        /* 18 */ CONSTANT(BPF_AND, 4, SAMPLE - 1),
        REGISTER(BPF_MOV, 0, 4),
        MAP(5, BPF_PSEUDO_MAP_VALUE, wire->counts_map),
        /* 22 */ REGISTER(BPF_SUB, 3, 2),
        LOAD(BPF_DW, 4, 5, offsetof(struct counts, octets)),
        REGISTER(BPF_ADD, 4, 3),
        STORE(BPF_DW, 5, offsetof(struct counts, octets), 4),
        /* 26 */ LOAD(BPF_B, 4, 2, DNS_AT + 3),
        CONSTANT(BPF_AND, 4, 15),
        CONSTANT(BPF_LSH, 4, 3),
        REGISTER(BPF_ADD, 5, 4),
        /* 30 */ LOAD(BPF_DW, 4, 5, offsetof(struct counts, by_rcode)),
        CONSTANT(BPF_ADD, 4, 1),
        STORE(BPF_DW, 5, offsetof(struct counts, by_rcode), 4),
        JUMP(BPF_JNE, 0, 0, 2),
        /* PASS */ CONSTANT(BPF_MOV, 0, XDP_PASS),
        EXIT,
        CONSTANT(BPF_MOV, 0, XDP_DROP),
        EXIT,
        /* SEND */ REGISTER(BPF_MOV, 6, 1),
        MAP(1, BPF_PSEUDO_MAP_VALUE, wire->counts_map),
        LOAD(BPF_DW, 2, 1, offsetof(struct counts, next)),
        /* 4 */ STORE(BPF_W, 10, -4, 2),
        CONSTANT(BPF_ADD, 2, 1),
        JUMP(BPF_JLT, 2, wire->frame_count, 1),
        CONSTANT(BPF_MOV, 2, 0),
        /* 8 */ STORE(BPF_DW, 1, offsetof(struct counts, next), 2),
        MAP(1, BPF_PSEUDO_MAP_FD, wire->frames_map),
        REGISTER(BPF_MOV, 2, 10),
        /* 12 */ CONSTANT(BPF_ADD, 2, -4),
        CALL(BPF_FUNC_map_lookup_elem),
        WIDE_JUMP(BPF_JEQ, 0, 0, DROP - SEND - 15),
        REGISTER(BPF_MOV, 7, 0),
        /* 16 */ LOAD(BPF_W, 8, 7, offsetof(struct ready_frame, size)),
        CONSTANT(BPF_AND, 8, FRAME_MAX),
        REGISTER(BPF_MOV, 1, 6),
        REGISTER(BPF_MOV, 2, 8),
        /* 20 */ CONSTANT(BPF_SUB, 2, FRAME_MAX),
        CALL(BPF_FUNC_xdp_adjust_tail),
        WIDE_JUMP(BPF_JNE, 0, 0, DROP - SEND - 23),
        WIDE_JUMP(BPF_JEQ, 8, 0, DROP - SEND - 24),
        /* 24 */ REGISTER(BPF_MOV, 1, 6),
        CONSTANT(BPF_MOV, 2, 0),
        REGISTER(BPF_MOV, 3, 7),
        CONSTANT(BPF_ADD, 3, offsetof(struct ready_frame, bytes)),
        /* 28 */ REGISTER(BPF_MOV, 4, 8),
        CALL(BPF_FUNC_xdp_store_bytes),
        WIDE_JUMP(BPF_JNE, 0, 0, DROP - SEND - 31),
        CONSTANT(BPF_MOV, 1, wire->interface),
        /* 32 */ CONSTANT(BPF_MOV, 2, 0),
        CALL(BPF_FUNC_redirect),
        EXIT,
        /* DROP */ CONSTANT(BPF_MOV, 0, XDP_DROP),
        EXIT,
    };
    char log[16384] = "";
    struct bpf_prog_load_opts options = {
        .sz = sizeof(options), .log_buf = log, .log_size = sizeof(log)};
    wire->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "frame_load", "BSD", code,
                                  sizeof(code) / sizeof(code[0]), &options);
    if (wire->program < 0) {
        fprintf(stderr, "%s", log);
        die("the kernel refuses the program");
    }
    struct bpf_link_create_opts how = {.sz = sizeof(how), .flags = XDP_FLAGS_DRV_MODE};
    wire->link = bpf_link_create(wire->program, (int)wire->interface, BPF_XDP, &how);
    if (wire->link < 0) {
        die("cannot attach the program");
    }
}

static void run(struct wire *wire, uint32_t frames)
{
    static uint8_t template[FRAME_MAX];
    struct bpf_test_run_opts options = {.sz = sizeof(options),
                                        .data_in = template,
                                        .data_size_in = sizeof(template),
                                        .repeat = (int)frames,
                                        .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                                        .batch_size = frames < 64 ? frames : 64};
    if (bpf_prog_test_run_opts(wire->program, &options) != 0) {
        die("the kernel does not run the program");
    }
}

/* ---- what comes back ---- */

static uint64_t answers(const struct wire *wire)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < 16; i++) {
        all += wire->counts->by_rcode[i];
    }
    return all;
}

struct samples {
    int64_t sent_at[IDS / SAMPLE];
    uint64_t seen, wrong;
    uint32_t histogram[HISTOGRAM + 1]; /* of microseconds */
};

/* That an answer repeats one of the questions that have its ID, and says NOERROR or NXDOMAIN. */
static bool is_right(const struct question *questions, uint32_t count, const uint8_t *answer,
                     size_t size)
{
    for (uint32_t i = (uint32_t)answer[0] << 8 | answer[1]; i < count; i += IDS) {
        size_t asked = questions[i].size - (questions[i].bytes[11] != 0 ? 11u : 0u); /* its OPT */
        if (size >= asked && memcmp(answer + DNS, questions[i].bytes + DNS, asked - DNS) == 0) {
            return answer[5] == 1 && ((answer[3] & 15) == 0 || (answer[3] & 15) == 3);
        }
    }
    return false;
}

static void look_at_samples(struct wire *wire, const struct question *questions,
                            struct samples *samples)
{
    uint8_t answer[4096];
    ssize_t size;
    while ((size = recv(wire->sockets[0], answer, sizeof(answer), MSG_DONTWAIT)) >= DNS) {
        samples->seen++;
        samples->wrong += !is_right(questions, wire->frame_count, answer, (size_t)size);
        int64_t us = now_ns() - samples->sent_at[((unsigned)answer[0] << 8 | answer[1]) / SAMPLE];
        us /= 1000;
        samples->histogram[us < HISTOGRAM ? us : HISTOGRAM]++;
    }
}

static int percentile(const struct samples *samples, unsigned percent)
{
    uint64_t seen = 0;
    for (int i = 0; i <= HISTOGRAM; i++) {
        seen += samples->histogram[i];
        if (seen != 0 && seen * 100 >= samples->seen * percent) {
            return i;
        }
    }
    return -1;
}

int main(int argc, char **argv)
{
    struct wire wire = {.there.sin_family = AF_INET};
    if (argc < 6 || inet_pton(AF_INET, argv[2], &wire.there.sin_addr) != 1) {
        fprintf(stderr,
                "usage: frame_load INTERFACE ADDRESS PORT QUESTIONS SECONDS [OUTSTANDING]\n");
        return 2;
    }
    size_t count;
    struct question *questions = questions_read(argv[4], &count);
    double seconds = atof(argv[5]);
    unsigned outstanding = argc > 6 ? (unsigned)atoi(argv[6]) : 192;
    wire.there.sin_port = htons((uint16_t)atoi(argv[3]));
    wire.interface = if_nametoindex(argv[1]);
    if (count == 0 || outstanding == 0 || wire.interface == 0) {
        fprintf(stderr, "frame_load: no questions, nothing OUTSTANDING, or no such interface\n");
        return 2;
    }
    reach(&wire, argv[1], &questions[0]);
    make_maps(&wire, questions, count);
    if (wire.frame_count == 0) {
        fprintf(stderr, "frame_load: no question fits in a frame\n");
        return 2;
    }
    load(&wire);
    prctl(PR_SET_TIMERSLACK, 1);

    static struct samples samples;
    uint64_t sent = 0, lost = 0, last = 0;
    int64_t sending = 0;
    int64_t begin = now_ns(), end = begin + (int64_t)(seconds * 1e9), progress = begin, now;
    while ((now = now_ns()) < end) {
        uint64_t answered = answers(&wire);
        if (answered != last) {
            last = answered;
            progress = now;
        } else if (now - progress > LOST_NS) {
            lost = sent - answered;
            progress = now;
        }
        uint64_t gone = answered + lost;
        uint64_t room = gone + outstanding > sent ? gone + outstanding - sent : 0;
        if (room < RUN_MIN && room < outstanding) {
            look_at_samples(&wire, questions, &samples);
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
            continue;
        }
        uint32_t frames = room < RUN_MAX ? (uint32_t)room : RUN_MAX;
        for (uint64_t i = 0, at = wire.counts->next; i < frames;
             i++, at = (at + 1) % wire.frame_count) {
            if (at % SAMPLE == 0) {
                samples.sent_at[at % IDS / SAMPLE] = now;
            }
        }
        run(&wire, frames);
        sending += now_ns() - now;
        sent += frames;
    }
    uint64_t answered = answers(&wire);
    double took = (double)(now_ns() - begin) / 1e9;
    usleep(LOST_NS / 1000);
    look_at_samples(&wire, questions, &samples);
    close(wire.link);
    uint64_t all = answers(&wire);
    const volatile uint64_t *rcodes = wire.counts->by_rcode;
    printf(
        "{\"seconds\": %.3f, \"sent\": %llu, \"answered\": %llu, \"lost\": %llu, \"qps\": %.0f, "
        "\"p50_us\": %d, \"p99_us\": %d, \"mean_size\": %.1f, \"noerror\": %llu, \"nxdomain\": "
        "%llu, \"other\": %llu, \"sampled\": %llu, \"wrong\": %llu, \"sending_seconds\": %.3f}\n",
        took, (unsigned long long)sent, (unsigned long long)all, (unsigned long long)(sent - all),
        (double)answered / took, percentile(&samples, 50), percentile(&samples, 99),
        all ? (double)wire.counts->octets / (double)all - DNS_AT : 0, (unsigned long long)rcodes[0],
        (unsigned long long)rcodes[3], (unsigned long long)(all - rcodes[0] - rcodes[3]),
        (unsigned long long)samples.seen, (unsigned long long)samples.wrong, (double)sending / 1e9);
    free(questions);
    return 0;
}
