package validate

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestServiceAddresses: what people's browsers may be led to, and what only where
// the program allows it.
func TestServiceAddresses(t *testing.T) {
	const good, local, bad = "good", "local", "bad"
	for address, want := range map[string]string{
		"https://emqx.example.com:18083": good, "http://10.0.0.1/dash": good, "http://[fd00::1]:18083": good,
		"HTTPS://EMQX.example.com.":     good,
		"http://192.168.1.5:18083/a/b/": good, "http://172.16.0.1": good, "http://100.64.0.1": good,
		"http://emqx": good, "http://emqx_1.lan": good, "https://xn--bcher-kva.example": good,
		"http://127.example.com": good, "http://localhost.example.com": good, "http://0x7f.example.com": good,
		"http://10.0.0.1.": good, "http://168430081": good,
		"http://[::ffff:10.0.0.1]": good, "http://[64:ff9b::a00:1]": good, "http://[2002:a00:1::]": good,
		"http://x:65535": good,

		"emqx.example.com": bad, "ftp://a": bad, "https://": bad, "http://:80": bad, "https:a": bad,
		"http:///127.0.0.1": bad, "javascript:alert(1)": bad, "data:text/html,x": bad, "//a": bad,
		"https://u:p@a": bad, "https://u@a": bad, "https://a?x=1": bad, "https://a?": bad, "https://a#x": bad,
		"https://a#": bad, "http://a:b": bad, "http://a b": bad, " http://a": bad,
		"http://a:0": bad, "http://a:65536": bad, "http://a..b": bad, "http://a..": bad, "http://.": bad,
		"http://1.2.3.4.5": bad, "http://256.1.1.1": bad, "http://1.256": good,
		"http://a.1": bad, "http://a.0x1": bad, "http://4294967296": bad, "http://08.1.1.1": bad,
		"http://[::1%25lo]": bad, "http://[fe80::1%25eth0]": bad, "http://a\\\\b": bad, "http://a\\tb": bad,
		"http://bücher.example": bad, "http://１２７.0.0.1": bad, "http://127。0。0。1": bad,
		"http://%6c%6fcalhost":      bad,
		"http://loc%E2%80%8Balhost": bad, "http://a*b": bad,

		"http://localhost": local, "http://LocalHost.:18083": local, "http://emqx.localhost": local,
		"http://localhost.localdomain": local, "http://ip6-localhost": local, "https://a.b.LOCALHOST./x": local,
		"http://127.0.0.1": local, "http://127.0.0.1.": local, "http://127.8.9.1:18083": local, "http://127.1": local,
		"http://127.0.1": local, "http://2130706433": local, "http://0x7f000001": local, "http://0X7F.1": local,
		"http://017700000001": local, "http://0177.0.0.01": local, "http://0x7f.0x0.0x0.0x1": local,
		"http://[::1]": local, "http://[0:0:0:0:0:0:0:1]:80": local, "http://[::ffff:127.0.0.1]": local,
		"http://[::ffff:7f00:1]": local,
		"http://[::127.0.0.1]":   local, "http://[::ffff:0:127.0.0.1]": local, "http://[64:ff9b::127.0.0.1]": local,
		"http://[2002:7f00:1::]": local,
		"http://0":               local, "http://0.0.0.0": local, "http://0x": local, "http://0.1.2.3": local,
		"http://[::]":            local,
		"http://255.255.255.255": local, "http://4294967295": local, "http://250.0.0.1": local,
		"http://224.0.0.1": local, "http://239.255.255.250": local, "http://[ff02::1]": local,
		"http://169.254.0.5": local, "http://[fe80::1]": local, "http://169.254.169.254/latest/meta-data/": local,
		"http://2852039166": local, "http://0xa9fea9fe": local, "http://0251.0376.0251.0376": local,
		"http://169.254.43518":            local,
		"http://[::ffff:169.254.169.254]": local, "http://[64:ff9b::a9fe:a9fe]": local, "http://[fd00:ec2::254]": local,
		"http://[fd00:0ec2:0::254]": local, "http://[fd20:ce::254]": local,
		"http://metadata.google.internal": local, "http://METADATA.google.internal./computeMetadata/": local,
		"http://metadata": local, "http://metadata.goog": local, "http://instance-data": local,
		"http://100.100.100.200": local, "http://168.63.129.16": local, "http://192.0.0.192": local,
	} {
		strict, allowed := ServiceAddress(address, false), ServiceAddress(address, true)
		require.Equal(t, want == good, strict == "", "%q: %s", address, strict)
		require.Equal(t, want != bad, allowed == "", "%q: %s", address, allowed)
		if want == local {
			require.Contains(t, strict, "--allow-local-service-addresses", "it says what allows it")
		}
	}
}

// TestLoopbackInEverySpelling: however an address of loopback is spelled that a
// browser reads as one, it is refused.
func TestLoopbackInEverySpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ip := [4]byte{rapid.SampledFrom([]byte{0, 127, 224, 255}).Draw(t, "first"), rapid.Byte().Draw(t, "b"),
			rapid.Byte().Draw(t, "c"), rapid.Byte().Draw(t, "d")}
		spell := func(n uint64) string {
			return fmt.Sprintf(rapid.SampledFrom([]string{"%d", "0%o", "0x%x", "0X%X", "0x000%x", "000%o"}).Draw(t,
				"as"), n)
		}
		parts := rapid.IntRange(1, 4).Draw(t, "parts")
		host, last := "", uint64(0)
		for i, b := range ip {
			if i < parts-1 {
				host += spell(uint64(b)) + "."
				continue
			}
			last = last<<8 | uint64(b)
		}
		host += spell(last) + rapid.SampledFrom([]string{"", "."}).Draw(t, "dot")
		got, _, why := browserHost(host)
		require.Empty(t, why, host)
		require.Equal(t, netip.AddrFrom4(ip), got, host)
		require.NotEmpty(t, ServiceAddress("http://"+host+":18083/", false), host)
		require.NotEmpty(t, ServiceAddress("http://["+netip.AddrFrom16(netip.AddrFrom4(ip).As16()).String()+"]", false))
	})
}
