/* Stands before the system's resolver in the gateway's process: names that end in ".stub" get what
 * the file named by STUB_RESOLVER says, "<seconds to wait> <answer>", where the answer is "unknown",
 * "empty" or an address. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    resolver *next = (resolver *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = node ? strlen(node) : 0;
    if (length < 5 || strcmp(node + length - 5, ".stub") != 0)
        return next(node, service, hints, found);
    unsigned wait = 0;
    char answer[64] = "unknown";
    FILE *file = fopen(getenv("STUB_RESOLVER"), "r");
    if (!file || fscanf(file, "%u %63s", &wait, answer) != 2)
        abort();
    fclose(file);
    sleep(wait);
    if (strcmp(answer, "unknown") == 0)
        return EAI_NONAME;
    if (strcmp(answer, "empty") == 0) {
        *found = NULL;
        return 0;
    }
    return next(answer, service, hints, found);
}
