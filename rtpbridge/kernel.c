#include "kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_program.h"
#include "pins.h"

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS, of Linux 6.6: the headers of the building host may be older */
#define LOAD_TRIES 16
#define FLOWS "flows"
#define DEVICE "on-%u"
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

struct kernel {
    struct pins pins;
    int map_fd;
    int program_fd;
    union kernel_slot *slots;
    size_t slots_bytes;
    size_t pairs;
    uint32_t devices[KERNEL_DEVICES_MAX];
    int links[KERNEL_DEVICES_MAX];
    size_t devices_count;
};

static int say(char why[KERNEL_WHY_BYTES], int error, const char *format, ...)
{
    va_list arguments;
    int written;

    va_start(arguments, format);
    written = vsnprintf(why, KERNEL_WHY_BYTES, format, arguments);
    va_end(arguments);
    if (written > 0 && written < KERNEL_WHY_BYTES)
        snprintf(why + written, (size_t)(KERNEL_WHY_BYTES - written), ": %s", strerror(error));
    return error;
}

static void close_descriptor(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

_Static_assert(sizeof(union kernel_slot) == KERNEL_SLOT_BYTES, "a flow has outgrown its slot");
_Static_assert(KERNEL_MEMORY_SLOTS * KERNEL_SLOT_BYTES == KERNEL_MEMORY_BYTES, "the slots of a memory are not its size");

static uint32_t slots_count(uint32_t pairs)
{
    return 1 + pairs * (2 + KERNEL_MEMORY_SLOTS);
}

static int map_slots(struct kernel *kernel, const struct kernel_plan *plan)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t bytes = sizeof *kernel->slots * slots_count(plan->pairs);
    void *mapped;

    kernel->slots_bytes = (bytes + page - 1) / page * page;
    mapped = mmap(NULL, kernel->slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, kernel->map_fd, 0);
    if (mapped == MAP_FAILED)
        return errno;
    kernel->slots = mapped;
    kernel->pairs = plan->pairs;
    return 0;
}

static struct kernel_head head_of(const struct kernel_plan *plan)
{
    struct kernel_head head = {
        .layout = KERNEL_LAYOUT,
        .port_first = plan->port_first,
        .pairs = plan->pairs,
        .memory_bytes = KERNEL_MEMORY_BYTES,
    };

    snprintf(head.owner, sizeof head.owner, "%s", plan->owner != NULL ? plan->owner : "");
    return head;
}

/* The map of an earlier process, if it is laid out as ours is and for the same ports. */
static bool take_over_map(struct kernel *kernel, const struct kernel_plan *plan)
{
    const struct kernel_head wanted = head_of(plan);
    struct bpf_map_info info = {0};
    union bpf_attr attributes = {0};

    kernel->map_fd = pins_get(&kernel->pins, FLOWS);
    if (kernel->map_fd < 0)
        return false;
    attributes.info.bpf_fd = (uint32_t)kernel->map_fd;
    attributes.info.info_len = sizeof info;
    attributes.info.info = (uintptr_t)&info;
    if (pins_bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes) == 0 && info.value_size == sizeof *kernel->slots &&
        info.max_entries == slots_count(plan->pairs) && (info.map_flags & BPF_F_MMAPABLE) != 0 &&
        map_slots(kernel, plan) == 0) {
        if (memcmp(&kernel->slots->head, &wanted, sizeof wanted) == 0)
            return true;
        munmap(kernel->slots, kernel->slots_bytes);
        kernel->slots = NULL;
    }
    close_descriptor(&kernel->map_fd);
    return false;
}

static int make_map(struct kernel *kernel, const struct kernel_plan *plan, char why[KERNEL_WHY_BYTES])
{
    union bpf_attr attributes = {
        .map_type = BPF_MAP_TYPE_ARRAY,
        .key_size = sizeof(uint32_t),
        .value_size = sizeof *kernel->slots,
        .max_entries = slots_count(plan->pairs),
        .map_flags = BPF_F_MMAPABLE,
        .map_name = "webcb_flows",
    };
    int error;

    kernel->map_fd = pins_bpf(BPF_MAP_CREATE, &attributes);
    if (kernel->map_fd < 0)
        return say(why, errno, "a BPF map cannot be made (CAP_BPF is needed)");
    fcntl(kernel->map_fd, F_SETFD, FD_CLOEXEC);
    error = map_slots(kernel, plan);
    if (error != 0)
        return say(why, error, "the BPF map cannot be read from here");
    kernel->slots->head = head_of(plan);
    return 0;
}

static int load_program(struct kernel *kernel, char why[KERNEL_WHY_BYTES])
{
    static const char license[] = "Dual MIT/GPL";
    struct bpf_insn *const instructions = malloc(sizeof KERNEL_PROGRAM);
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_SCHED_CLS,
        .insns = (uintptr_t)instructions,
        .insn_cnt = LENGTH(KERNEL_PROGRAM),
        .license = (uintptr_t)license,
        .prog_name = "webcb_rtp",
        .expected_attach_type = (enum bpf_attach_type)TCX_INGRESS,
    };

    if (instructions == NULL)
        return say(why, ENOMEM, "the BPF program");
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
        free(instructions);
        return say(why, ENOTSUP, "the BPF program is built for little-endian hosts");
    }
    memcpy(instructions, KERNEL_PROGRAM, sizeof KERNEL_PROGRAM);
    for (size_t i = 0; i < LENGTH(KERNEL_PROGRAM_MAPS); i++) {
        instructions[KERNEL_PROGRAM_MAPS[i]].src_reg = BPF_PSEUDO_MAP_FD;
        instructions[KERNEL_PROGRAM_MAPS[i]].imm = kernel->map_fd;
    }
    for (int tried = 0; kernel->program_fd < 0 && tried < LOAD_TRIES; tried++) {
        kernel->program_fd = pins_bpf(BPF_PROG_LOAD, &attributes);
        if (kernel->program_fd < 0 && errno != EAGAIN) /* so it says when a signal, or io_uring, wants the thread meanwhile */
            break;
    }
    if (kernel->program_fd < 0)
        say(why, errno, "the BPF program is not taken (CAP_BPF, CAP_NET_ADMIN and Linux 6.6 are needed)");
    free(instructions);
    return kernel->program_fd < 0 ? EPERM : 0;
}

/* The device a link is on; 0: it has gone. */
static uint32_t device_of(int link_fd)
{
    struct bpf_link_info info = {0};
    union bpf_attr attributes = {0};

    attributes.info.bpf_fd = (uint32_t)link_fd;
    attributes.info.info_len = sizeof info;
    attributes.info.info = (uintptr_t)&info;
    /* tcx.ifindex lies where xdp.ifindex does; older headers have only the latter. */
    return pins_bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes) == 0 ? info.xdp.ifindex : 0;
}

static void remember_device(struct kernel *kernel, uint32_t device, int link_fd)
{
    fcntl(link_fd, F_SETFD, FD_CLOEXEC);
    kernel->devices[kernel->devices_count] = device;
    kernel->links[kernel->devices_count++] = link_fd;
}

static void unpin_device(const struct kernel *kernel, uint32_t device)
{
    char name[32];

    snprintf(name, sizeof name, DEVICE, device);
    pins_remove(&kernel->pins, name);
}

/* Puts our program in the place of the earlier process's: the flows pass without a break. */
static void take_over_device(struct kernel *kernel, const char *name)
{
    union bpf_attr attributes = {0};
    uint32_t device = 0;
    int link_fd = -1;

    if (sscanf(name, DEVICE, &device) == 1)
        link_fd = pins_get(&kernel->pins, name);
    if (link_fd < 0)
        return;
    attributes.link_update.link_fd = (uint32_t)link_fd;
    attributes.link_update.new_prog_fd = (uint32_t)kernel->program_fd;
    if (kernel->devices_count < KERNEL_DEVICES_MAX && device_of(link_fd) == device &&
        pins_bpf(BPF_LINK_UPDATE, &attributes) == 0) {
        remember_device(kernel, device, link_fd);
        return;
    }
    close(link_fd);
    unpin_device(kernel, device);
}

static void take_over_devices(struct kernel *kernel)
{
    DIR *folder = opendir(kernel->pins.folder);

    if (folder == NULL)
        return;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        take_over_device(kernel, entry->d_name);
    closedir(folder);
}

static int attach(const struct kernel *kernel, uint32_t device, int *link_fd)
{
    union bpf_attr attributes = {0};

    attributes.link_create.prog_fd = (uint32_t)kernel->program_fd;
    attributes.link_create.target_ifindex = device;
    attributes.link_create.attach_type = TCX_INGRESS;
    *link_fd = pins_bpf(BPF_LINK_CREATE, &attributes);
    return *link_fd >= 0 ? 0 : errno;
}

int kernel_attach(struct kernel *kernel, uint32_t device)
{
    char name[32];
    int link_fd, error;

    for (size_t i = 0; i < kernel->devices_count; i++)
        if (kernel->devices[i] == device)
            return 0;
    if (kernel->devices_count == KERNEL_DEVICES_MAX)
        return ENOSPC;
    error = attach(kernel, device, &link_fd);
    if (error != 0)
        return error;
    snprintf(name, sizeof name, DEVICE, device);
    error = pins_put(&kernel->pins, link_fd, name);
    if (error == EEXIST) { /* of a device that had the number before */
        unpin_device(kernel, device);
        error = pins_put(&kernel->pins, link_fd, name);
    }
    if (error == 0)
        remember_device(kernel, device, link_fd);
    else
        close(link_fd);
    return error;
}

void kernel_review(struct kernel *kernel)
{
    for (size_t i = kernel->devices_count; i-- > 0;) {
        if (device_of(kernel->links[i]) == kernel->devices[i])
            continue;
        close(kernel->links[i]);
        unpin_device(kernel, kernel->devices[i]);
        kernel->devices_count--;
        kernel->devices[i] = kernel->devices[kernel->devices_count];
        kernel->links[i] = kernel->links[kernel->devices_count];
    }
}

/* Map, program, the loopback, in this order: a flow must find its map. */
static int begin(struct kernel *kernel, const struct kernel_plan *plan, bool taken_over, char why[KERNEL_WHY_BYTES])
{
    int error = taken_over ? 0 : make_map(kernel, plan, why);

    if (error == 0)
        error = load_program(kernel, why);
    if (error != 0)
        return error;
    if (taken_over)
        take_over_devices(kernel);
    error = kernel_attach(kernel, if_nametoindex("lo"));
    if (error == 0 && !taken_over)
        error = pins_put(&kernel->pins, kernel->map_fd, FLOWS);
    return error == 0 ? 0 : say(why, error, "the BPF program cannot be attached (Linux 6.6 is needed)");
}

int kernel_open(struct kernel **kernel, const struct kernel_plan *plan, char why[KERNEL_WHY_BYTES])
{
    struct kernel *const opened = calloc(1, sizeof *opened);
    const bool owned = plan->owner != NULL && plan->owner[0] != 0;
    int error = ENOMEM, unpinned = 0;
    bool taken_over;

    why[0] = 0;
    if (opened == NULL)
        return say(why, error, "the kernel path");
    opened->pins.folder_fd = opened->map_fd = opened->program_fd = -1;
    if (owned)
        unpinned = pins_open(&opened->pins, plan->pins, plan->owner);
    if (unpinned == EWOULDBLOCK) {
        error = say(why, EBUSY, "another process holds the flows of %s", plan->owner);
        goto out;
    }
    taken_over = take_over_map(opened, plan);
    if (!taken_over)
        pins_clear(&opened->pins);
    error = begin(opened, plan, taken_over, why);
    if (error == 0 && unpinned != 0)
        say(why, unpinned, "flows end with this process, for they cannot be pinned in bpffs");
out:
    if (error == 0)
        *kernel = opened;
    else
        kernel_close(opened);
    return error;
}

void kernel_close(struct kernel *kernel)
{
    if (kernel == NULL)
        return;
    pins_close(&kernel->pins);
    for (size_t i = 0; i < kernel->devices_count; i++)
        close(kernel->links[i]);
    close_descriptor(&kernel->program_fd);
    if (kernel->slots != NULL)
        munmap(kernel->slots, kernel->slots_bytes);
    close_descriptor(&kernel->map_fd);
    free(kernel);
}

void kernel_forget(const struct kernel_plan *plan)
{
    struct kernel *left = plan->owner != NULL && plan->owner[0] != 0 ? calloc(1, sizeof *left) : NULL;

    if (left == NULL)
        return;
    left->map_fd = left->program_fd = -1;
    pins_open(&left->pins, plan->pins, plan->owner);
    kernel_close(left);
}

struct kernel_flow *kernel_flow(const struct kernel *kernel, size_t pair)
{
    return &kernel->slots[pair + 1].flow;
}

struct kernel_more *kernel_more(const struct kernel *kernel, size_t pair)
{
    return &kernel->slots[1 + kernel->pairs + pair].more;
}

void *kernel_memory(const struct kernel *kernel, size_t pair)
{
    return &kernel->slots[1 + 2 * kernel->pairs + pair * KERNEL_MEMORY_SLOTS];
}
