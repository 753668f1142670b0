package fn

import (
	"net/netip"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// IP addresses are varchar here, as CloudTrail has them; an address that is none (a service's name) gives NULL.

var networkFunctions = []*Function{
	{
		Name: "cidr_contains", Category: networks, CanFail: true,
		Doc:       "Whether a network, in CIDR notation, holds an IP address; NULL if the second text is no address.",
		Example:   "cidr_contains('10.0.0.0/8', '10.1.2.3') → true",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> boolean", Eval: cidrContains}},
	},
	{
		Name: "is_private_ip", Category: networks,
		Doc:     "Whether an IP address is one of a private, loopback, link-local or shared (100.64.0.0/10) network; NULL if the text is no address.",
		Example: "is_private_ip('192.168.1.1') → true",
		Overloads: []Overload{{Sig: "(varchar) -> boolean", Eval: lift1(func(s string) (bool, error) {
			ip, err := parseIP(s)
			if err != nil {
				return false, errNull
			}
			return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || sharedNetwork.Contains(ip), nil
		})}},
	},
}

// sharedNetwork is the address space between providers and their customers (RFC 6598).
var sharedNetwork = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)

// parseIP reads an address; an IPv4 address inside IPv6 is taken as the IPv4 address.
func parseIP(s string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(strings.TrimSpace(s))
	return ip.Unmap().WithZone(""), err
}

func parseCIDR(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(strings.TrimSpace(s))
	if err != nil {
		return p, valueError("%s is not a network in CIDR notation, such as 10.0.0.0/8", shown(s))
	}
	if ip := p.Addr(); ip.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(ip.Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

func cidrContains(c *Call) (arrow.Array, error) {
	networkAt, text := compiled(c, 0, parseCIDR), arg[string](c, 1)
	return eachRow(c, func(i int) (bool, error) {
		network, err := networkAt(i)
		if err != nil {
			return false, err
		}
		ip, err := parseIP(text.at(i))
		if err != nil {
			return false, errNull
		}
		return network.Contains(ip), nil
	})
}
