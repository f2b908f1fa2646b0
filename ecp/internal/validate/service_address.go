package validate

import (
	"encoding/binary"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A service address is opened by people's browsers, and never dialled here. Who
// may change a cluster chooses where everybody else's browser goes, so that what
// only means something to the browser's own host or link is refused, in every
// spelling that browsers read as such. Addresses of private networks are where
// dashboards usually are.

const (
	noServiceAddress = `is not an address such as "https://emqx.example.com:18083"`
	allowLocal       = "; the setting cluster.localServiceAddresses (the flag --allow-local-service-addresses) " +
		"allows it"
)

// ServiceAddress returns what is wrong with a service address; an empty
// result means nothing. local allows addresses that lead to the browser's own host
// or link, or to where clouds tell their machines secrets.
func ServiceAddress(address string, local bool) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return noServiceAddress
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(address, "#"):
		return "must not carry credentials, a query or a fragment"
	case !portValid(u.Port()):
		return "has a port outside 1 to 65535"
	}
	ip, name, why := browserHost(u.Hostname())
	switch {
	case why != "":
		return why
	case local:
		return ""
	case ip.IsValid():
		why = whyLocal(ip)
	default:
		why = whyLocalName(name)
	}
	if why != "" {
		return why + allowLocal
	}
	return ""
}

func portValid(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n > 0 && n < 1<<16
}

// browserHost reads the host of a URL as browsers do: as an IP address in any of
// its spellings, or as a name in lower case without the dot at its end.
func browserHost(host string) (ip netip.Addr, name, why string) {
	if strings.Contains(host, ":") {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
			return ip, "", ""
		}
		return ip, "", "has no IPv6 address that browsers take between its brackets"
	}
	name = strings.TrimSuffix(strings.ToLower(host), ".")
	if strings.ContainsFunc(name, func(r rune) bool { return !strings.ContainsRune(hostBytes, r) }) {
		return ip, "", "has a host with other characters than letters, digits, dots, hyphens and underscores; write " +
			"names of other scripts as browsers send them, xn--…"
	}
	labels := strings.Split(name, ".")
	if slices.Contains(labels, "") {
		return ip, "", "has a host with an empty part"
	}
	if !isNumber(labels[len(labels)-1]) {
		return ip, name, ""
	}
	ip, ok := browserIPv4(labels)
	if !ok {
		return ip, "", "has a host that ends in a number and is no IPv4 address"
	}
	return ip, "", ""
}

const hostBytes = "abcdefghijklmnopqrstuvwxyz0123456789.-_"

// isNumber reports whether browsers take what ends in a part of a host for an
// IPv4 address.
func isNumber(part string) bool {
	if strings.Trim(part, "0123456789") == "" {
		return true
	}
	_, ok := numberOf(part)
	return ok
}

// numberOf reads a part of an IPv4 address: hexadecimal, octal or decimal.
func numberOf(part string) (uint64, bool) {
	digits, base := part, 10
	switch {
	case strings.HasPrefix(part, "0x"):
		digits, base = part[2:], 16
	case len(part) > 1 && part[0] == '0':
		digits, base = part[1:], 8
	}
	if digits == "" { // "0x" is nought to browsers
		return 0, true
	}
	if strings.ContainsAny(digits, "_-") {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, base, 64)
	return n, err == nil
}

// browserIPv4 reads 127.0.0.1, 127.1, 0x7f000001, 017700000001 and the like.
func browserIPv4(parts []string) (netip.Addr, bool) {
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var all uint64
	for i, part := range parts {
		n, ok := numberOf(part)
		rest := 8 * (5 - len(parts)) // bits of the last part
		last := i == len(parts)-1
		switch {
		case !ok, !last && n > 255, last && n >= 1<<rest:
			return netip.Addr{}, false
		case last:
			all = all<<rest | n
		default:
			all = all<<8 | n
		}
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(all)))), true
}

// metadata is where clouds tell a machine about itself, secrets too, and is in none
// of the networks below.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
}

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	reserved    = netip.MustParsePrefix("240.0.0.0/4") // the limited broadcast too
)

// within6 are networks of IPv6 whose addresses hold one of IPv4, and at which byte.
var within6 = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4
}

// whyLocal returns what kind of address nobody is led to; an empty result means none.
func whyLocal(ip netip.Addr) string {
	ip = ip.Unmap()
	switch {
	case slices.Contains(metadata, ip):
		return "is where a cloud tells its machines about themselves"
	case ip.IsUnspecified(), thisNetwork.Contains(ip):
		return "is no host's address"
	case ip.IsLoopback():
		return "is a loopback address: each browser would open its own host"
	case ip.IsLinkLocalUnicast():
		return "is a link-local address, where clouds tell their machines about themselves"
	case ip.IsMulticast(), reserved.Contains(ip):
		return "is not the address of one host"
	}
	for _, n := range within6 {
		if n.network.Contains(ip) {
			b := ip.As16()
			return whyLocal(netip.AddrFrom4([4]byte(b[n.at : n.at+4])))
		}
	}
	return ""
}

// localNames are names that mean something to the browser's own host, network or
// cloud only, with whatever stands before them.
var localNames = map[string]string{
	"localhost": loopbackName, "localdomain": loopbackName, "localhost4": loopbackName, "localhost6": loopbackName,
	"ip6-localhost": loopbackName, "ip6-loopback": loopbackName, "loopback": loopbackName,
	"metadata.google.internal": metadataName, "metadata.goog": metadataName, "instance-data": metadataName,
	"instance-data.ec2.internal": metadataName,
	"metadata":                   metadataName, "metadata.azure.internal": metadataName,
	"metadata.tencentyun.com":      metadataName,
	"metadata.platformequinix.com": metadataName,
}

const (
	loopbackName = "is a name of loopback: each browser would open its own host"
	metadataName = "is where a cloud tells its machines about themselves"
)

// whyLocalName says the same of a name.
func whyLocalName(name string) string {
	for {
		if why := localNames[name]; why != "" {
			return why
		}
		_, rest, more := strings.Cut(name, ".")
		if !more {
			return ""
		}
		name = rest
	}
}
