/* The floor of CommitShadowCopySet on btrfs: commit_floor DIRECTORY NUMBER
 *
 * DIRECTORY is a subvolume. Makes the system calls without which no snapshot with a marker is
 * taken safely: opens the volume, tells which one it is, puts the marker down, takes the snapshot,
 * finds the share in it. Prints, for each of NUMBER times, the microseconds of the snapshot alone
 * and of everything. Snapshots and markers are removed again, outside of the clock.
 */
#define _GNU_SOURCE

#include <err.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define NAME "floor"

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int require(int returned, const char *what)
{
    if (returned < 0) {
        err(1, "%s", what);
    }
    return returned;
}

static void take(const char *path, const char *text)
{
    struct btrfs_ioctl_vol_args_v2 snapshot = {0};
    struct btrfs_ioctl_vol_args gone = {0};
    struct btrfs_ioctl_fs_info_args file_system = {0};
    struct btrfs_ioctl_get_subvol_info_args subvolume = {0};
    double began = now();
    double before;
    double after;
    int root = require(open(path, FLAGS), path);

    require(ioctl(root, BTRFS_IOC_FS_INFO, &file_system), "FS_INFO");
    require(ioctl(root, BTRFS_IOC_GET_SUBVOL_INFO, &subvolume), "GET_SUBVOL_INFO");
    require(symlinkat(text, root, NAME ".mark"), "marker");
    snapshot.fd = root;
    snapshot.flags = BTRFS_SUBVOL_RDONLY;
    strcpy(snapshot.name, NAME);
    before = now();
    require(ioctl(root, BTRFS_IOC_SNAP_CREATE_V2, &snapshot), "snapshot");
    after = now();
    close(require(openat(root, NAME, FLAGS), NAME));
    printf("%.0f %.0f\n", after - before, now() - began);
    strcpy(gone.name, NAME);
    require(ioctl(root, BTRFS_IOC_SNAP_DESTROY, &gone), "destroy");
    require(unlinkat(root, NAME ".mark", 0), "marker");
    close(root);
}

int main(int count, char **arguments)
{
    char text[500];

    if (count != 3) {
        errx(2, "commit_floor DIRECTORY NUMBER");
    }
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int number = atoi(arguments[2]); number > 0; number--) {
        take(arguments[1], text);
        usleep(13000); /* as the clients of the other measurements pause */
    }
    return 0;
}
