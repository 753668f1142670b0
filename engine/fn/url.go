package fn

import (
	"net/url"
	"strconv"
	"strings"
)

var urlFunctions = []*Function{
	urlPart("url_extract_protocol", "The protocol of a URL.", "url_extract_protocol('https://a.com/p') → 'https'", func(u *url.URL) string { return u.Scheme }),
	urlPart("url_extract_host", "The host of a URL.", "url_extract_host('https://a.com:8443/p') → 'a.com'", host),
	urlPart("url_extract_path", "The path of a URL.", "url_extract_path('https://a.com/p/q?x=1') → '/p/q'", func(u *url.URL) string { return u.Path }),
	urlPart("url_extract_query", "The query of a URL.", "url_extract_query('https://a.com/p?x=1#f') → 'x=1'", func(u *url.URL) string { return u.RawQuery }),
	urlPart("url_extract_fragment", "The fragment of a URL.", "url_extract_fragment('https://a.com/p#f') → 'f'", func(u *url.URL) string { return u.Fragment }),
	{
		Name: "url_extract_port", Category: urls,
		Doc:     "The port of a URL; NULL if it names none.",
		Example: "url_extract_port('https://a.com:8443/p') → 8443",
		Overloads: []Overload{{Sig: "(varchar) -> bigint", Eval: lift1(func(s string) (int64, error) {
			u, err := url.Parse(s)
			if err != nil {
				return 0, errNull
			}
			port, err := strconv.ParseInt(u.Port(), 10, 64)
			if err != nil {
				return 0, errNull
			}
			return port, nil
		})}},
	},
	{
		Name: "url_extract_parameter", Category: urls,
		Doc:     "The first value of a parameter in the query of a URL; NULL if it is not there.",
		Example: "url_extract_parameter('https://a.com/p?x=1&y=2', 'y') → '2'",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> varchar", Eval: lift2(func(s, name string) (string, error) {
			u, err := url.Parse(s)
			if err != nil {
				return "", errNull
			}
			for rest, more := u.RawQuery, true; more; {
				var part string
				part, rest, more = strings.Cut(rest, "&")
				key, value, _ := strings.Cut(part, "=")
				if k, err := url.QueryUnescape(key); err == nil && k == name {
					if v, err := url.QueryUnescape(value); err == nil {
						return v, nil
					}
				}
			}
			return "", errNull
		})}},
	},
	{
		Name: "url_encode", Category: urls,
		Doc:       "The text made fit for a URL's query.",
		Example:   "url_encode('a b&c') → 'a+b%26c'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: pure1(urlEncode)}},
	},
	{
		Name: "url_decode", Category: urls, CanFail: true,
		Doc:     "The inverse of url_encode.",
		Example: "url_decode('a+b%26c') → 'a b&c'",
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: lift1(func(s string) (string, error) {
			out, err := url.QueryUnescape(s)
			if err != nil {
				return "", valueError("%s is not URL-encoded", shown(s))
			}
			return strings.ToValidUTF8(out, "\uFFFD"), nil
		})}},
	},
}

// urlPart makes a function that gives a part of a URL, NULL for text that is no URL.
func urlPart(name, doc, example string, part func(*url.URL) string) *Function {
	return &Function{Name: name, Category: urls, Doc: doc, Example: example,
		Overloads: []Overload{{Sig: "(varchar) -> varchar", Eval: lift1(func(s string) (string, error) {
			u, err := url.Parse(s)
			if err != nil {
				return "", errNull
			}
			return part(u), nil
		})}}}
}

// host is the host of u, an IPv6 address in brackets.
func host(u *url.URL) string {
	if h := u.Hostname(); !strings.Contains(h, ":") {
		return h
	}
	return "[" + u.Hostname() + "]"
}

// urlEncode leaves letters, digits and . - * _ alone, makes + of a blank and %XX of the rest, as Trino does.
func urlEncode(s string) string {
	return strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(s))
}
