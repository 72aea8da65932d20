/*
 * The floor of an exchange: OpenSSL, a socket, and the few MQTT 3.1.1 packets by hand, one step
 * after the other, on one thread. No retry, no cancel, no deadline but the socket's: the least that
 * can do it at all with a verified chain and host name. Speaks the protocol of the bench's
 * contenders (exchange/contender.rs). Not part of the product.
 */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, PUBLISH_QOS1 = 0x32, PUBACK = 0x40,
       SUBSCRIBE = 0x82, SUBACK = 0x90, DISCONNECT = 0xe0 };

static void die(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value) die(name);
    return value;
}

static long long micros(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* A packet being built. */
static unsigned char body[8192];
static size_t length;

static void put_u16(size_t value)
{
    if (length + 2 > sizeof body) die("packet too large");
    body[length++] = (unsigned char)(value >> 8);
    body[length++] = (unsigned char)value;
}

static void put_bytes(const void *bytes, size_t count)
{
    if (length + count > sizeof body) die("packet too large");
    memcpy(body + length, bytes, count);
    length += count;
}

static void put_text(const char *text)
{
    put_u16(strlen(text));
    put_bytes(text, strlen(text));
}

static void send_packet(SSL *tls, int type)
{
    unsigned char packet[sizeof body + 5];
    size_t at = 0, rest = length;
    packet[at++] = (unsigned char)type;
    do {
        packet[at++] = (unsigned char)((rest & 127) | (rest > 127 ? 128 : 0));
        rest >>= 7;
    } while (rest);
    memcpy(packet + at, body, length);
    if (SSL_write(tls, packet, (int)(at + length)) <= 0) die("write");
    length = 0;
}

static void read_all(SSL *tls, unsigned char *into, size_t count)
{
    for (size_t have = 0; have < count;) {
        int got = SSL_read(tls, into + have, (int)(count - have));
        if (got <= 0) die("read");
        have += (size_t)got;
    }
}

static unsigned char packet[65536];

/* Reads one packet; returns its first byte, and the length of its body in `size`. */
static int read_packet(SSL *tls, size_t *size)
{
    unsigned char type, byte;
    size_t shift = 0;
    *size = 0;
    read_all(tls, &type, 1);
    do {
        read_all(tls, &byte, 1);
        *size |= (size_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128 && shift < 28);
    if (*size > sizeof packet) die("packet too large");
    read_all(tls, packet, *size);
    return type;
}

static void expect(SSL *tls, int type, size_t at)
{
    size_t size;
    if (read_packet(tls, &size) != type || size <= at || packet[at] & 0x80) die("unexpected packet");
}

static int dial(const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *one;
    struct timeval patience = { .tv_sec = 20 };
    int yes = 1;
    if (getaddrinfo("localhost", port, &hints, &all)) die("localhost");
    for (one = all; one; one = one->ai_next) {
        int fd = socket(one->ai_family, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) == 0) {
            freeaddrinfo(all);
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
            return fd;
        }
        if (fd >= 0) close(fd);
    }
    die("connect");
    return -1;
}

int main(void)
{
    const char *roots = setting("EXCHANGE_ROOTS"), *client_id = setting("EXCHANGE_CLIENT_ID");
    const char *username = setting("EXCHANGE_USERNAME"), *password = setting("EXCHANGE_PASSWORD");
    const char *filter = setting("EXCHANGE_FILTER"), *trigger = setting("EXCHANGE_TRIGGER");
    size_t payload = strtoul(setting("EXCHANGE_PAYLOAD"), NULL, 10);
    char port[64], filling[4096];
    if (payload > sizeof filling) die("EXCHANGE_PAYLOAD");
    memset(filling, 'x', sizeof filling);
    signal(SIGPIPE, SIG_IGN);
    while (fgets(port, sizeof port, stdin)) {
        port[strcspn(port, "\n")] = 0;
        long long start = micros(CLOCK_MONOTONIC), cpu = micros(CLOCK_PROCESS_CPUTIME_ID);
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        if (!context || SSL_CTX_load_verify_locations(context, roots, NULL) != 1) die("roots");
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
        SSL *tls = SSL_new(context);
        int fd = dial(port);
        if (!tls || SSL_set1_host(tls, "localhost") != 1 ||
            SSL_set_tlsext_host_name(tls, "localhost") != 1 || SSL_set_fd(tls, fd) != 1 ||
            SSL_connect(tls) != 1)
            die("TLS");

        put_text("MQTT");
        put_bytes("\x04\xc2\x00\x3c", 4); /* level 4; user name, password, clean session; 60 s */
        put_text(client_id);
        put_text(username);
        put_text(password);
        send_packet(tls, CONNECT);
        expect(tls, CONNACK, 1);

        put_u16(1);
        put_text(filter);
        put_bytes("\x01", 1);
        send_packet(tls, SUBSCRIBE);
        expect(tls, SUBACK, 2);

        put_text(trigger);
        put_u16(2);
        put_bytes(filling, payload);
        send_packet(tls, PUBLISH_QOS1);
        size_t size, topic;
        for (;;) {
            if ((read_packet(tls, &size) & 0xf0) != PUBLISH) continue;
            topic = (size_t)packet[0] << 8 | packet[1];
            if (size < topic + 4) die("answer");
            /* The subscription brings one's own trigger, too. */
            if (topic != strlen(trigger) || memcmp(packet + 2, trigger, topic)) break;
            put_bytes(packet + 2 + topic, 2);
            send_packet(tls, PUBACK);
        }
        printf("%lld %zu\n", micros(CLOCK_MONOTONIC) - start, size - topic - 4);
        fflush(stdout);

        if (!fgets(port, sizeof port, stdin)) break;
        put_bytes(packet + 2 + topic, 2);
        send_packet(tls, PUBACK);
        send_packet(tls, DISCONNECT);
        SSL_shutdown(tls);
        SSL_free(tls);
        close(fd);
        SSL_CTX_free(context);
        printf("%lld\n", micros(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        fflush(stdout);
    }
    return 0;
}
