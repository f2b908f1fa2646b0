# The shortest form, as the product's page has it: first where nobody vouches for the
# server, then where the host trusts its authority.
emqx 127.0.0.1:18083
adopt short binary "$program"
sh 1.sh && sh 2.sh || fail guide
code 1 emqxee-agent register --url "$SERVER/api" --registration-token "$token"
mount -t tmpfs none /etc/ssl && mkdir /etc/ssl/certs && cp "$ca" /etc/ssl/certs/ca-certificates.crt
code 0 emqxee-agent restart
code 0 emqxee-agent register --url "$SERVER/api" --registration-token "$token"
await running
code 0 emqxee-agent status
code 0 emqxee-agent doctor
echo end
