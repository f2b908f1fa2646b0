# Becomes one container: process 1 of its namespaces, in a root of its own.
# container.sh ROOT HOSTNAME READONLY WORKDIR HOSTS [SOURCE PATH ro|rw]... -- COMMAND...
set -eu
_root=$1 _name=$2 _readonly=$3 _workdir=$4 _hosts=$5
shift 5
mount --make-rprivate /
mount -t tmpfs -o mode=755 image "$_root"
for _dir in usr bin sbin lib lib32 lib64 libx32; do
	if [ -L "/$_dir" ]; then
		ln -s "$(readlink "/$_dir")" "$_root/$_dir"
	elif [ -d "/$_dir" ]; then
		mkdir "$_root/$_dir"
		mount --bind "/$_dir" "$_root/$_dir"
		mount -o remount,bind,ro "$_root/$_dir"
	fi
done
mkdir "$_root/proc" "$_root/dev" "$_root/etc" "$_root/root"
mkdir -m 1777 "$_root/tmp"
mount -t proc proc "$_root/proc"
for _device in null zero full random urandom; do
	: >"$_root/dev/$_device"
	mount --bind "/dev/$_device" "$_root/dev/$_device"
done
# Users as the image has them: none that the manifest names.
echo 'root:x:0:0:root:/root:/bin/sh' >"$_root/etc/passwd"
echo 'root:x:0:' >"$_root/etc/group"
cat "$_hosts" >"$_root/etc/hosts"
: >"$_root/etc/resolv.conf"
while [ "$1" != -- ]; do
	mkdir -p "$_root/$2"
	mount --bind "$1" "$_root/$2"
	[ "$3" = rw ] || mount -o remount,bind,ro "$_root/$2"
	shift 3
done
shift
[ "$_readonly" = false ] || mount -o remount,ro "$_root"
hostname "$_name"
cd "$_root"
exec chroot "$_root" /usr/bin/env --chdir "$_workdir" "$@"
