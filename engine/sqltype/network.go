package sqltype

import (
	"encoding/hex"
	"net/netip"
	"strings"
)

// An ipaddress is the 16 bytes of an IPv6 address, IPv4 being mapped (::ffff:a.b.c.d), so that bytes order as addresses do. An ipprefix is its
// first address and a byte with the number of bits that count, of 32 for IPv4. A uuid is its 16 bytes.

// ParseIPAddress reads an address, without a zone, into the bytes of an ipaddress.
func ParseIPAddress(s string) ([]byte, bool) {
	ip, err := netip.ParseAddr(s)
	if err != nil || ip.Zone() != "" {
		return nil, false
	}
	b := ip.As16()
	return b[:], true
}

// IPAddressBytes returns the ipaddress of 4 or 16 bytes in network order.
func IPAddressBytes(b []byte) ([]byte, bool) {
	ip, ok := netip.AddrFromSlice(b)
	if !ok {
		return nil, false
	}
	all := ip.As16()
	return all[:], true
}

// AddressOf returns the address that the bytes of an ipaddress, or the first 16 of an ipprefix, stand for.
func AddressOf(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])).Unmap() }

// ParseIPPrefix reads a network like 10.0.0.0/8 into the bytes of an ipprefix; bits that do not count may be set. Without a length the
// network is the one address.
func ParseIPPrefix(s string) ([]byte, bool) {
	if !strings.Contains(s, "/") {
		b, ok := ParseIPAddress(s)
		if !ok {
			return nil, false
		}
		ip := AddressOf(b)
		return IPPrefixBytes(netip.PrefixFrom(ip, ip.BitLen())), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return nil, false
	}
	if ip := p.Addr(); ip.Is4In6() {
		if p.Bits() < 96 {
			return nil, false
		}
		p = netip.PrefixFrom(ip.Unmap(), p.Bits()-96)
	}
	return IPPrefixBytes(p), true
}

// IPPrefixBytes returns the ipprefix of a network, its first address being taken.
func IPPrefixBytes(p netip.Prefix) []byte {
	b := p.Masked().Addr().As16()
	return append(b[:], byte(p.Bits()))
}

// NetworkOf returns the network that the bytes of an ipprefix stand for.
func NetworkOf(b []byte) netip.Prefix { return netip.PrefixFrom(AddressOf(b), int(b[16])) }

// ParseUUID reads 32 hexadecimal digits, with hyphens after the 8th, 12th, 16th and 20th.
func ParseUUID(s string) ([]byte, bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return nil, false
	}
	b, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	return b, err == nil
}

func appendUUID(dst, b []byte) []byte {
	for i, part := range [][]byte{b[:4], b[4:6], b[6:8], b[8:10], b[10:16]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}
