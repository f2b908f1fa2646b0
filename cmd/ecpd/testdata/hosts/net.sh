# A network of hosts, all in namespaces that end with this shell: a server, and hosts
# with EMQX from which connections can only go out. Variables: ecpd, agents, sim,
# way (a program that is proxy to HTTP), program (the architecture of this machine).
# Each host runs a script of its own beside the others; NAME.out is what it printed.
set -eu
ip link set lo up
mount -t tmpfs none /run && mkdir /run/netns
ip addr add 10.77.0.1/32 dev lo # the server
ip addr add 10.77.0.2/32 dev lo # a proxy before another server, which ends TLS
export SERVER=https://10.77.0.1:18180 FRONT=https://10.77.0.2
export ECPD_BOOTSTRAP_TOKEN=0123456789abcdef0123456789abcdef
export TOP=$PWD
touch net && mount --bind /proc/self/ns/net net

# A Kubernetes that does not answer is no reason to know nothing of adopted clusters.
cat >kubeconfig <<-'END'
	apiVersion: v1
	kind: Config
	clusters: [{name: away, cluster: {server: "https://127.0.0.1:1"}}]
	contexts: [{name: away, context: {cluster: away, user: away}}]
	users: [{name: away, user: {token: none}}]
	current-context: away
END
chmod 600 kubeconfig
"$ecpd" serve --kubeconfig kubeconfig --data-dir direct --agents-dir "$agents" --listen 10.77.0.1:18180 --tls-auto \
	--cluster-agent $SERVER >direct.log 2>&1 &
WAY=reverse WAY_LISTEN=10.77.0.2:443 WAY_TO=http://127.0.0.1:18181 WAY_CA=front-ca.pem "$way" >reverse.log 2>&1 &
WAY=connect WAY_LISTEN=0.0.0.0:3128 WAY_USER=fleet:canary-proxy "$way" >connect.log 2>&1 &
ready() { n=0; until "$@" >/dev/null 2>&1; do n=$((n+1)); if [ $n -gt 300 ]; then echo "not ready: $*"; cat ./*.log; exit 1; fi; sleep 0.1; done; }
ready test -s front-ca.pem
"$ecpd" serve --kubeconfig kubeconfig --data-dir behind --agents-dir "$agents" --listen 127.0.0.1:18181 \
	--cluster-agent $FRONT --agents-ca-file front-ca.pem --trusted-proxies 127.0.0.0/8 >behind.log 2>&1 &
ready grep -q 'ecpd ready on' direct.log
ready grep -q 'ecpd ready on' behind.log

# host NAME NUMBER [alone]: a host of the network 10.77.NUMBER.0/24. Nothing gets in
# that was not asked for from inside. One that is alone has no way out of its network.
host() {
	ip netns add "$1"
	ip link add "to-$1" type veth peer name eth0 netns "$1"
	ip addr add "10.77.$2.1/24" dev "to-$1" && ip link set "to-$1" up
	ip -n "$1" link set lo up
	ip -n "$1" addr add "10.77.$2.2/24" dev eth0 && ip -n "$1" link set eth0 up
	[ "${3-}" = alone ] || ip -n "$1" route add default via "10.77.$2.1"
	ip netns exec "$1" iptables -A INPUT -i lo -j ACCEPT
	ip netns exec "$1" iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
	ip netns exec "$1" iptables -P INPUT DROP
	eval "address_$1=10.77.$2.2"
}
# run NAME [SCRIPT]: the script of its name on a host, as on one with nothing installed.
run() {
	export NAME=$1
	eval "export ADDRESS=\$address_$1 GATEWAY=\${address_$1%.2}.1"
	(cd "$(mktemp -d "$TOP/$1.XXXX")" && chmod 755 . && exec ip netns exec "$1" bash -u -c '
		for dir in /opt /usr/local/bin /run; do mount -t tmpfs -o mode=755 none $dir; done
		. "$here/host.sh"; . "$here/$1.sh"' host "${2-$1}") >"$1.out" 2>&1 || echo "host $1 ended with $?" >>"$1.out"
}
