# A host with EMQX whose dashboard is asked for, until the test is over.
case $VERSION in
4.*) emqx 127.0.0.1:8081 --version $VERSION --clients 2
	pages=$(sed -n 's/.* dashboard \(http:[^ ]*\) .*/\1/p' emqx.out) ;;
*) emqx 127.0.0.1:18084 --version $VERSION --clients 2
	pages=http://127.0.0.1:18084 ;;
esac
WAY=dashboard WAY_NAME=$NAME WAY_LISTEN=127.0.0.1:18083 WAY_TO=$pages "$way" >way.out 2>&1 &
n=0; until curl -s -o /dev/null http://127.0.0.1:18083/; do n=$((n+1)); [ $n -le 200 ] || fail "$(cat way.out)"; sleep 0.05; done
adopt $NAME binary "$program"
sh guide.sh || fail guide
await running
echo $id >id && mv id $TOP/$NAME.id
while [ ! -e $TOP/done ]; do sleep 0.2; done
echo end
