# EMQX 4.4 with its dashboard on another port, which its own configuration has.
emqx 127.0.0.1:8081 --version 4.4.24
mkdir -p /opt/emqx/etc/plugins
echo "dashboard.listener.http = $(sed -n 's/.* dashboard http:..127.0.0.1:\([0-9]*\) .*/\1/p' emqx.out)" >/opt/emqx/etc/plugins/emqx_dashboard.conf
adopt v44 binary "$program"
sh guide.sh || fail guide
await running
agents
code 0 emqxee-agent status
echo end
