package fn

import (
	"net/netip"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// CloudTrail has IP addresses as text, and services' names among them: for cidr_contains and is_private_ip text that is no address
// gives NULL. The other functions are Athena's, on ipaddress and ipprefix.

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
		Overloads: []Overload{
			{Sig: "(varchar) -> boolean", Eval: lift1(func(s string) (bool, error) {
				ip, err := parseIP(s)
				if err != nil {
					return false, errNull
				}
				return isPrivate(ip), nil
			})},
			{Sig: "(ipaddress) -> boolean", Eval: pure1(func(b []byte) bool { return isPrivate(sqltype.AddressOf(b)) })},
		},
	},
	{
		Name: "ip_prefix", Category: networks, CanFail: true,
		Doc:     "The network of so many bits that holds the address.",
		Example: "ip_prefix(IPADDRESS '192.168.255.255', 9) → IPPREFIX '192.128.0.0/9'",
		Overloads: []Overload{
			{Sig: "(ipaddress, bigint) -> ipprefix", Eval: lift2(func(b []byte, bits int64) ([]byte, error) { return ipPrefix(sqltype.AddressOf(b), bits) })},
			{Sig: "(varchar, bigint) -> ipprefix", Eval: lift2(func(s string, bits int64) ([]byte, error) {
				b, ok := sqltype.ParseIPAddress(s)
				if !ok {
					return nil, valueError("%s is not an IP address", shown(s))
				}
				return ipPrefix(sqltype.AddressOf(b), bits)
			})},
		},
	},
	{
		Name: "ip_subnet_min", Category: networks,
		Doc:       "The lowest address of the network.",
		Example:   "ip_subnet_min(IPPREFIX '192.64.0.0/9') → IPADDRESS '192.0.0.0'",
		Overloads: []Overload{{Sig: "(ipprefix) -> ipaddress", Eval: pure1(func(b []byte) []byte { return b[:16] })}},
	},
	{
		Name: "ip_subnet_max", Category: networks,
		Doc:       "The highest address of the network.",
		Example:   "ip_subnet_max(IPPREFIX '192.64.0.0/9') → IPADDRESS '192.127.255.255'",
		Overloads: []Overload{{Sig: "(ipprefix) -> ipaddress", Eval: pure1(lastAddress)}},
	},
	{
		Name: "ip_subnet_range", Category: networks,
		Doc:       "The lowest and the highest address of the network, as an array.",
		Example:   "ip_subnet_range(IPPREFIX '1.2.3.160/24') → array[IPADDRESS '1.2.3.0', IPADDRESS '1.2.3.255']",
		Overloads: []Overload{{Sig: "(ipprefix) -> array(ipaddress)", Eval: subnetRange}},
	},
	{
		Name: "is_subnet_of", Category: networks,
		Doc:     "Whether the network holds the address or the other network.",
		Example: "is_subnet_of(IPPREFIX '192.168.0.0/16', IPADDRESS '192.168.3.131') → true",
		Overloads: []Overload{
			{Sig: "(ipprefix, ipaddress) -> boolean", Eval: pure2(networkHolds)},
			{Sig: "(ipprefix, ipprefix) -> boolean", Eval: pure2(networkHoldsNetwork)},
		},
	},
}

func isPrivate(ip netip.Addr) bool {
	return ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || sharedNetwork.Contains(ip)
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

// networkContains are the overloads of contains for networks.
var networkContains = []Overload{
	{Sig: "(varchar, ipaddress) -> boolean", Eval: func(c *Call) (arrow.Array, error) {
		networkAt, ips := compiled(c, 0, parseCIDR), arg[[]byte](c, 1)
		return eachRow(c, func(i int) (bool, error) {
			network, err := networkAt(i)
			return err == nil && network.Contains(sqltype.AddressOf(ips.at(i))), err
		})
	}},
	{Sig: "(ipprefix, ipaddress) -> boolean", Eval: pure2(networkHolds)},
	{Sig: "(ipprefix, ipprefix) -> boolean", Eval: pure2(networkHoldsNetwork)},
}

func networkHolds(network, ip []byte) bool {
	return sqltype.NetworkOf(network).Contains(sqltype.AddressOf(ip))
}

func networkHoldsNetwork(a, b []byte) bool {
	outer, inner := sqltype.NetworkOf(a), sqltype.NetworkOf(b)
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func ipPrefix(ip netip.Addr, bits int64) ([]byte, error) {
	if bits < 0 || bits > int64(ip.BitLen()) {
		return nil, valueError("a network of %s has from 0 to %d bits, not %d", ip, ip.BitLen(), bits)
	}
	return sqltype.IPPrefixBytes(netip.PrefixFrom(ip, int(bits))), nil
}

// lastAddress sets the bits that do not count.
func lastAddress(b []byte) []byte {
	network, out := sqltype.NetworkOf(b), append([]byte(nil), b[:16]...)
	for bit := 128 - network.Addr().BitLen() + network.Bits(); bit < 128; bit++ {
		out[bit/8] |= 0x80 >> (bit % 8)
	}
	return out
}

func subnetRange(c *Call) (arrow.Array, error) {
	networks, nulls := arg[[]byte](c, 0), c.nulls()
	var ends [][]byte
	offsets := append(make([]int32, 0, c.Len+1), 0)
	for row := range c.Len {
		if nulls == nil || !nulls[row] {
			b := networks.at(row)
			ends = append(ends, b[:16], lastAddress(b))
		}
		offsets = append(offsets, int32(len(ends)))
	}
	addresses, err := write(*c.Result.Elem, ends, nil)
	if err != nil {
		return nil, err
	}
	return listArray(c.Result, offsets, addresses, nulls), nil
}
