package fn

import "testing"

// The words are those of the description of the algorithm and of the sample vocabulary beside it.
func TestStemEnglish(t *testing.T) {
	for word, want := range map[string]string{
		"": "", "a": "a", "is": "is", "sky": "sky", "skies": "sky", "dying": "die", "news": "news", "innings": "inning", "proceeds": "proceed",
		"consign": "consign", "consigned": "consign", "consigning": "consign", "consignment": "consign", "consist": "consist", "consisted": "consist",
		"consistency": "consist", "consistent": "consist", "consistently": "consist", "consisting": "consist", "consists": "consist",
		"consolation": "consol", "consolations": "consol", "consolatory": "consolatori", "console": "consol", "consoled": "consol", "consoles": "consol",
		"consolidate": "consolid", "consolidated": "consolid", "consolidating": "consolid", "consoling": "consol", "consolingly": "consol",
		"consonant": "conson", "consort": "consort", "consorted": "consort", "conspicuous": "conspicu", "conspicuously": "conspicu",
		"conspiracy": "conspiraci", "conspirators": "conspir", "conspire": "conspir", "constable": "constabl", "constancy": "constanc",
		"constant": "constant", "knack": "knack", "knackeries": "knackeri", "knaves": "knave", "knavish": "knavish", "kneaded": "knead", "knee": "knee",
		"kneel": "kneel", "kneeled": "kneel", "kneeling": "kneel", "knees": "knee", "knell": "knell", "knightly": "knight", "knights": "knight",
		"knit": "knit", "knits": "knit", "knitted": "knit", "knitting": "knit", "knives": "knive", "knob": "knob", "knobs": "knob", "knock": "knock",
		"knots": "knot", "knotted": "knot", "generate": "generat", "generic": "generic", "general": "general", "communism": "communism",
		"hopping": "hop", "hoped": "hope", "luxuriated": "luxuri", "cries": "cri", "ties": "tie", "gas": "gas", "this": "this", "gaps": "gap",
		"kiwis": "kiwi", "cry": "cri", "by": "by", "say": "say", "bed": "bed", "shed": "shed", "bead": "bead", "saying": "say", "youth": "youth",
		"relational": "relat", "rationalisation": "rationalis", "feed": "feed", "adoption": "adopt",
		"analogy": "analog", "decisiveness": "decis", "dog's": "dog", "dogs'": "dog", "'twas": "twas", "grün": "grün",
	} {
		if got := stemEnglish(word); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
