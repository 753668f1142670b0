package fn

import (
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
)

func TestNetworks(t *testing.T) {
	s := varchar
	check(t, []want{
		{"cidr_contains", []value{s("10.0.0.0/8"), s("10.255.0.1")}, "true", ""},
		{"cidr_contains", []value{s("10.0.0.0/8"), s("11.0.0.1")}, "false", ""},
		{"cidr_contains", []value{s("10.1.2.3/8"), s("10.0.0.1")}, "true", ""}, // bits behind the mask do not count
		{"cidr_contains", []value{s("2001:db8::/32"), s("2001:db8::1")}, "true", ""},
		{"cidr_contains", []value{s("10.0.0.0/8"), s("2001:db8::1")}, "false", ""},
		{"cidr_contains", []value{s("10.0.0.0/8"), s("::ffff:10.0.0.1")}, "true", ""},
		{"cidr_contains", []value{s("10.0.0.0/8"), s("cloudtrail.amazonaws.com")}, "NULL", ""}, // as in sourceipaddress
		{"cidr_contains", []value{s("10.0.0.0/8"), nullOf(sqltype.VarcharType)}, "NULL", ""},
		{"cidr_contains", []value{s("10.0.0.0"), s("10.0.0.1")}, "", "not a network in CIDR notation"},
		{"is_private_ip", []value{s("172.31.255.255")}, "true", ""},
		{"is_private_ip", []value{s("172.32.0.0")}, "false", ""},
		{"is_private_ip", []value{s("100.64.0.1")}, "true", ""},
		{"is_private_ip", []value{s("fd00::1")}, "true", ""},
		{"is_private_ip", []value{s("AWS Internal")}, "NULL", ""},
	})
}

// From Trino's "URL functions".
func TestURLs(t *testing.T) {
	s := varchar
	u := s("https://user@a.com:8443/p%20q?x=1&y=a%20b&x=2#frag")
	check(t, []want{
		{"url_extract_protocol", []value{u}, "https", ""},
		{"url_extract_host", []value{u}, "a.com", ""},
		{"url_extract_port", []value{u}, "8443", ""},
		{"url_extract_port", []value{s("https://a.com/")}, "NULL", ""},
		{"url_extract_path", []value{u}, "/p q", ""},
		{"url_extract_query", []value{u}, "x=1&y=a%20b&x=2", ""},
		{"url_extract_fragment", []value{u}, "frag", ""},
		{"url_extract_host", []value{s("http://a b/%zz")}, "NULL", ""},
		{"url_extract_parameter", []value{u, s("x")}, "1", ""},
		{"url_extract_parameter", []value{u, s("y")}, "a b", ""},
		{"url_extract_parameter", []value{u, s("z")}, "NULL", ""},
		{"url_encode", []value{s("a b~*-_.ä")}, "a+b%7E*-_.%C3%A4", ""},
		{"url_decode", []value{s("a+b%7E")}, "a b~", ""},
		{"url_decode", []value{s("%zz")}, "", "not URL-encoded"},
	})
}
