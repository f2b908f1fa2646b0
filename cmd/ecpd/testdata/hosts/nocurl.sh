# A container with very little in it: the program is sent in, as the guide says.
TOOLS="dash sh env mkdir cat chmod touch"
. "$here/inside.sh"
emqx 127.0.0.1:18083
adopt nocurl container "$program"
inside 'curl --version' && fail "there is a curl"
sed -n '/curl/,$p' 1.sh | sed 's/^ *//' >elsewhere.sh
sh elsewhere.sh || fail "download elsewhere"
line=$(printf '%b\n' "$(sed -n 's/^ *"en": "\(Open a shell.*\)",\{0,1\}$/\1/p' guide.json)" | grep '^kubectl exec -i POD')
kubectl() { [ "$1 $2 $3 $4 $5 $6" = "exec -i POD -- sh -c" ] && inside "$7"; }
eval "$line" || fail "$line"
inside "$(cat 2.sh 3.sh)" || fail guide
await running
agents
echo end
