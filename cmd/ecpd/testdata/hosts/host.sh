# What the scripts of all hosts use.
api=$SERVER/api/v1 ca=$TOP/direct/tls/ca.pem
# call: what a person asks the server, from elsewhere.
call() { elsewhere curl -sS --noproxy '*' --max-time 20 --fail-with-body --cacert "$ca" -H "Authorization: Bearer $ECPD_BOOTSTRAP_TOKEN" "$@"; }
elsewhere() { nsenter --net="$TOP/net" "$@"; }
fail() { echo "FAILED: $*"; exit 1; }
commands() { sed -n 's/^ *"command": "\(.*\)"$/\1/p' | sed 's/\\"/"/g' | while IFS= read -r c; do printf '%b\n' "$c"; done; }
# adopt NAME METHOD ARCH: a new cluster; its guide's commands are in 1.sh to 3.sh.
adopt() {
	id=$(call "$api/clusters" --json "{\"mode\": \"adopted\", \"name\": \"$1\"}" | grep -o 'emqx-[0-9a-f]\{8\}' | sed -n 1p)
	call "$api/clusters/$id/setup" --json "{\"method\": \"$2\", \"arch\": \"$3\"}" >guide.json || fail setup
	token=$(sed -n 's/^ *"token": "\(.*\)",$/\1/p' guide.json)
	for n in 1 2 3; do sed -n "/\"number\": $n/,/\"command\"/p" guide.json | commands >$n.sh; done
	cat 1.sh 2.sh 3.sh >guide.sh
}
state() { call "$api/clusters/$id" | sed -n 's/^ *"state": "\(.*\)",$/\1/p' | sed -n 1p; }
await() {
	n=0
	until [ "$(state)" = "$1" ]; do n=$((n+1)); [ $n -le 80 ] || { call "$api/clusters/$id/explain"; call "$api/clusters/$id/agents"; fail "it is not $1"; }; sleep 0.25; done
	echo "state $1"
}
agents() { call "$api/clusters/$id/agents" | grep -E '"(node|connected|carrier)":' | tr -d ' ,' | tr '\n' ' '; echo; }
# emqx ADDRESS [FLAG...]: a simulated EMQX here.
emqx() {
	"$sim" --listen "$@" >emqx.out 2>&1 &
	n=0; until grep -q api emqx.out; do n=$((n+1)); [ $n -le 200 ] || fail "EMQX: $(cat emqx.out)"; sleep 0.05; done
}
# closed PORT: the server cannot reach this host there.
closed() { elsewhere timeout 0.5 bash -c "exec 3<>/dev/tcp/$ADDRESS/$1" 2>/dev/null && fail "port $1 can be reached"; echo "closed from outside"; }
# code WANTED COMMAND...: the exit code of a command.
code() { want=$1; shift; "$@"; got=$?; [ $got = "$want" ] || fail "$*: code $got, not $want"; }
