# inside SCRIPT: EMQX's own container: user 1000, dash, nothing writable but the data
# volume, and of the programs of a host only those that TOOLS names (all if empty).
mkdir -p /opt/emqx/data /opt/bin && chown 1000:1000 /opt/emqx/data
for tool in ${TOOLS-}; do ln -s "$(command -v "$tool")" "/opt/bin/$tool"; done
inside() {
	unshare -m sh -ec '
		mount --bind /opt/emqx/data /opt/emqx/data
		mount -o remount,bind,ro /opt
		mount -o remount,bind,ro /usr/local/bin
		mount -o remount,bind,ro /
		mount -t tmpfs -o ro none /tmp
		cd /opt/emqx
		exec setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs env -i HOME=/opt/emqx PATH="${2:-/usr/bin:/bin}" dash -c "$1"
	' inside "$1" "${TOOLS:+/opt/bin}"
}
! inside 'touch /opt/x || touch /tmp/x || touch /usr/local/bin/x || touch x' 2>/dev/null || fail "the root can be written"
