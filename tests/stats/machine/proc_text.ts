/** `/proc/stat`, `/proc/net/dev` and `/proc/self/mounts`, as Linux writes them. */
export const PROC: string = String
  .raw`cpu  919043 23 254297 1525912 7833 0 6809 55933 12 3
cpu0 458827 11 123579 768849 2358 0 2330 28531 12 0
cpu1 460216 11 130717 757062 5475 0 4479 27402 0 3
intr 37134 0 9 0 0
ctxt 5712
btime 1795240000
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 74397706910 9881182    0    0    0     0          0         0 74397706910 9881182    0    0    0     0       0          0
  eth0:18446744073709551615    7017    3    4    0     0          0         0   476305    6244    5    6    0     0       0          0
eth0.100:       1       2    0    0    0     0          0         0        3       4    0    0    0     0       0          0
veth1a2b:       1       2    0    0    0     0          0         0        3       4    0    0    0     0       0          0
proc /proc proc rw,relatime 0 0
/dev/vda1 / ext4 rw,relatime,discard 0 0
/dev/sdb1 /mnt/my\040disk\134 xfs rw 0 0
/dev/vda2 /boot/efi vfat rw 0 0
tmpfs /run tmpfs rw,nosuid 0 0
/dev/vda1 /etc/hosts ext4 rw 0 0
/dev/sdc1 /var/lib/gatherer btrfs rw 0 0
/dev/sdc1 /var/lib btrfs rw 0 0
tank /tank zfs rw 0 0
/dev/loop1 /snap/core/1 squashfs ro 0 0
server:/export /net nfs4 rw 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw 0 0
`;
