# Clusters behind NAT, whose hosts all have the same private address, and beside the
# server a person with a browser. Variables: ecpd, agents, sim, way, program.
set -eu
ip link set lo up
mount -t tmpfs none /run && mkdir /run/netns
ip addr add 10.77.0.1/32 dev lo # the server
export SERVER=https://10.77.0.1:18180 ECPD_BOOTSTRAP_TOKEN=0123456789abcdef0123456789abcdef TOP=$PWD
touch net && mount --bind /proc/self/ns/net net
"$ecpd" serve --data-dir direct --agents-dir "$agents" --listen 10.77.0.1:18180 --tls-auto --cluster-agent $SERVER \
	--dashboard-domain dash.test >direct.log 2>&1 &
n=0; until grep -q 'ecpd ready on' direct.log; do n=$((n+1)); if [ $n -gt 300 ]; then cat direct.log; exit 1; fi; sleep 0.1; done

# behind NAME NUMBER: a host that a router hides, and the script of dashhost.sh on it.
behind() {
	ip netns add "router$2" && ip netns add "$1"
	ip link add "wan$2" type veth peer name wan netns "router$2"
	ip addr add "10.77.$2.1/24" dev "wan$2" && ip link set "wan$2" up
	ip -n "router$2" link add lan type veth peer name eth0 netns "$1"
	ip -n "router$2" addr add "10.77.$2.2/24" dev wan && ip -n "router$2" addr add 192.168.1.1/24 dev lan
	ip -n "router$2" link set wan up && ip -n "router$2" link set lan up && ip -n "router$2" route add default via "10.77.$2.1"
	ip netns exec "router$2" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip netns exec "router$2" iptables -t nat -A POSTROUTING -o wan -j MASQUERADE
	ip -n "$1" link set lo up && ip -n "$1" addr add 192.168.1.2/24 dev eth0 && ip -n "$1" link set eth0 up && ip -n "$1" route add default via 192.168.1.1
	export NAME=$1 VERSION=$3
	(cd "$(mktemp -d "$TOP/$1.XXXX")" && exec ip netns exec "$1" bash -u -c '
		for dir in /opt /usr/local/bin /run; do mount -t tmpfs -o mode=755 none $dir; done
		. "$here/host.sh"; . "$here/dashhost.sh"') >"$1.out" 2>&1 &
}
behind plant4 20 4.4.24
behind plant5 21 5.8.9
behind other5 22 5.8.9
set +e
for name in plant4 plant5 other5; do
	n=0; until [ -s $name.id ]; do n=$((n+1)); if [ $n -gt 600 ] || grep -q FAILED $name.out; then cat $name.out direct.log; exit 1; fi; sleep 0.1; done
done
"$way" -test.run '^TestDashboardsThroughNAT$' -test.v -test.timeout 110s; code=$?
touch done
[ $code = 0 ] || cat ./*.out direct.log
exit $code
