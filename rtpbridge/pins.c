#include "pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int pins_bpf(enum bpf_cmd command, union bpf_attr *attributes)
{
    return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static int path_of(char path[PINS_PATH_BYTES], const char *folder, const char *name)
{
    return snprintf(path, PINS_PATH_BYTES, "%s/%s", folder, name) < PINS_PATH_BYTES ? 0 : ENAMETOOLONG;
}

int pins_put(const struct pins *pins, int fd, const char *name)
{
    char path[PINS_PATH_BYTES];
    union bpf_attr attributes = {.pathname = (uintptr_t)path, .bpf_fd = (uint32_t)fd};

    if (pins->folder[0] == 0)
        return 0;
    if (path_of(path, pins->folder, name) != 0)
        return ENAMETOOLONG;
    return pins_bpf(BPF_OBJ_PIN, &attributes) == 0 ? 0 : errno;
}

int pins_get(const struct pins *pins, const char *name)
{
    char path[PINS_PATH_BYTES];
    union bpf_attr attributes = {.pathname = (uintptr_t)path};

    if (pins->folder[0] == 0 || path_of(path, pins->folder, name) != 0)
        return -1;
    return pins_bpf(BPF_OBJ_GET, &attributes);
}

static bool is_bpffs(const char *path)
{
    struct statfs found;

    return statfs(path, &found) == 0 && found.f_type == BPF_FS_MAGIC;
}

/* The folder of all owners: one of bpffs, or a fresh one on which bpffs is mounted. */
static int find_mount(struct pins *pins, const char *place)
{
    if (mkdir(place, 0700) != 0 && errno != EEXIST)
        return errno;
    if (!is_bpffs(place) && mount("bpf", place, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0)
        return errno;
    snprintf(pins->mount, sizeof pins->mount, "%s", place);
    return 0;
}

/* bpffs takes no dot in a name; an owner has no equals sign. */
static int name_folder(struct pins *pins, const char *owner)
{
    const size_t before = strlen(pins->mount) + 1;

    if (path_of(pins->folder, pins->mount, owner) != 0)
        return ENAMETOOLONG;
    for (char *at = pins->folder + before; *at != 0; at++)
        if (*at == '.')
            *at = '=';
    return 0;
}

int pins_open(struct pins *pins, const char *place, const char *owner)
{
    int error = 0;

    *pins = (struct pins){.folder_fd = -1};
    if (place != NULL && place[0] != 0) {
        error = find_mount(pins, place);
    } else if (find_mount(pins, "/sys/fs/bpf/webcb") != 0) {
        error = find_mount(pins, "/run/webcb-bpf");
    }
    if (error == 0)
        error = name_folder(pins, owner);
    if (error == 0 && mkdir(pins->folder, 0700) != 0 && errno != EEXIST)
        error = errno;
    if (error == 0) {
        pins->folder_fd = open(pins->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* A process that was killed has let go of it. */
        if (pins->folder_fd < 0 || flock(pins->folder_fd, LOCK_EX | LOCK_NB) != 0)
            error = errno;
    }
    if (error != 0)
        pins->folder[0] = 0;
    return error;
}

void pins_clear(const struct pins *pins)
{
    char path[PINS_PATH_BYTES];
    DIR *folder = pins->folder[0] != 0 ? opendir(pins->folder) : NULL;

    if (folder == NULL)
        return;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        if (entry->d_name[0] != '.' && path_of(path, pins->folder, entry->d_name) == 0)
            unlink(path);
    closedir(folder);
}

static void close_folder(struct pins *pins)
{
    if (pins->folder_fd >= 0)
        close(pins->folder_fd);
    pins->folder_fd = -1;
}

/* The mount too, if it is one of ours alone and nobody else has a folder there. */
static void leave_folder(struct pins *pins)
{
    char parent[PINS_PATH_BYTES];
    struct stat inside, outside;

    pins_clear(pins);
    rmdir(pins->folder);
    close_folder(pins);
    if (rmdir(pins->mount) == 0 || errno != EBUSY) /* not empty, or no mount */
        return;
    if (path_of(parent, pins->mount, "..") == 0 && stat(pins->mount, &inside) == 0 && stat(parent, &outside) == 0 &&
        inside.st_dev != outside.st_dev && inside.st_nlink == 2 && umount2(pins->mount, 0) == 0)
        rmdir(pins->mount);
}

void pins_remove(const struct pins *pins, const char *name)
{
    char path[PINS_PATH_BYTES];

    if (pins->folder[0] != 0 && path_of(path, pins->folder, name) == 0)
        unlink(path);
}

void pins_close(struct pins *pins)
{
    if (pins->folder[0] != 0)
        leave_folder(pins);
    close_folder(pins);
}
