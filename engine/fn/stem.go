package fn

import (
	"strings"
	"unicode/utf8"
)

// stemEnglish is the stem of a word in small letters by the English stemmer of the Snowball project, "Porter2"
// (snowballstem.org/algorithms/english/stemmer.html). What has other letters than a to z and the apostrophe is taken as it is.
func stemEnglish(word string) string {
	if stem, ok := stemExceptions[word]; ok {
		return stem
	}
	if utf8.RuneCountInString(word) <= 2 {
		return word
	}
	w := newStemmer(word)
	w.cutFirst("'s'", "'s", "'")
	w.step1a()
	if stemInvariants[string(w.b)] {
		return string(w.b)
	}
	w.step1b()
	w.step1c()
	w.replaceIn(w.r1, stemStep2)
	w.replaceIn(w.r1, stemStep3)
	w.replaceIn(w.r2, stemStep4)
	w.step5()
	return strings.ReplaceAll(string(w.b), "Y", "y")
}

var stemExceptions = map[string]string{
	"skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl", "gently": "gentl", "ugly": "ugli", "early": "earli",
	"only": "onli", "singly": "singl",
	"sky": "sky", "news": "news", "howe": "howe", "atlas": "atlas", "cosmos": "cosmos", "bias": "bias", "andes": "andes",
}

// stemInvariants are done once a plural is taken off.
var stemInvariants = map[string]bool{
	"inning": true, "outing": true, "canning": true, "herring": true, "earring": true, "proceed": true, "exceed": true, "succeed": true,
}

// stemRule replaces a suffix if, where it is set, the text before the suffix fits.
type stemRule struct {
	suffix, by string
	fits       func(w *stemmer, before []byte) bool
}

func endsIn(letters string) func(*stemmer, []byte) bool {
	return func(_ *stemmer, before []byte) bool {
		return len(before) > 0 && strings.IndexByte(letters, before[len(before)-1]) >= 0
	}
}

// The rules of a step, longer suffixes before those that they end in.
var (
	stemStep2 = []stemRule{
		{"ational", "ate", nil}, {"tional", "tion", nil}, {"enci", "ence", nil}, {"anci", "ance", nil}, {"abli", "able", nil}, {"entli", "ent", nil},
		{"ization", "ize", nil}, {"izer", "ize", nil}, {"ation", "ate", nil}, {"ator", "ate", nil}, {"alism", "al", nil}, {"aliti", "al", nil},
		{"alli", "al", nil}, {"fulness", "ful", nil}, {"ousness", "ous", nil}, {"ousli", "ous", nil}, {"iveness", "ive", nil}, {"iviti", "ive", nil},
		{"biliti", "ble", nil}, {"bli", "ble", nil}, {"ogi", "og", endsIn("l")}, {"fulli", "ful", nil}, {"lessli", "less", nil},
		{"li", "", endsIn("cdeghkmnrt")},
	}
	stemStep3 = []stemRule{
		{"ational", "ate", nil}, {"tional", "tion", nil}, {"alize", "al", nil}, {"icate", "ic", nil}, {"iciti", "ic", nil}, {"ical", "ic", nil},
		{"ful", "", nil}, {"ness", "", nil}, {"ative", "", func(w *stemmer, before []byte) bool { return len(before) >= w.r2 }},
	}
	stemStep4 = []stemRule{
		{"al", "", nil}, {"ance", "", nil}, {"ence", "", nil}, {"er", "", nil}, {"ic", "", nil}, {"able", "", nil}, {"ible", "", nil}, {"ant", "", nil},
		{"ement", "", nil}, {"ment", "", nil}, {"ent", "", nil}, {"ism", "", nil}, {"ate", "", nil}, {"iti", "", nil}, {"ous", "", nil}, {"ive", "", nil},
		{"ize", "", nil}, {"ion", "", endsIn("st")},
	}
)

// stemmer holds a word, a y that is a consonant marked as Y, and where its regions R1 and R2 begin.
type stemmer struct {
	b      []byte
	r1, r2 int
}

func newStemmer(word string) *stemmer {
	w := &stemmer{b: []byte(strings.TrimPrefix(word, "'"))}
	for i, c := range w.b {
		if c == 'y' && (i == 0 || isVowel(w.b[i-1])) {
			w.b[i] = 'Y'
		}
	}
	w.r1 = w.region(0)
	for _, prefix := range []string{"gener", "commun", "arsen"} {
		if strings.HasPrefix(string(w.b), prefix) {
			w.r1 = len(prefix)
		}
	}
	w.r2 = w.region(w.r1)
	return w
}

func isVowel(c byte) bool { return strings.IndexByte("aeiouy", c) >= 0 }

// region is where the part after the first consonant that follows a vowel begins, looked for from start.
func (w *stemmer) region(start int) int {
	for i := start + 1; i < len(w.b); i++ {
		if isVowel(w.b[i-1]) && !isVowel(w.b[i]) {
			return i + 1
		}
	}
	return len(w.b)
}

func (w *stemmer) has(suffix string) bool { return strings.HasSuffix(string(w.b), suffix) }

func (w *stemmer) cut(n int) { w.b = w.b[:len(w.b)-n] }

// cutFirst takes off the first of the suffixes that the word has.
func (w *stemmer) cutFirst(suffixes ...string) {
	for _, s := range suffixes {
		if w.has(s) {
			w.cut(len(s))
			return
		}
	}
}

func anyVowel(b []byte) bool {
	for _, c := range b {
		if isVowel(c) {
			return true
		}
	}
	return false
}

// endsShort reports whether b ends in a short syllable.
func endsShort(b []byte) bool {
	n := len(b)
	if n == 2 {
		return isVowel(b[0]) && !isVowel(b[1])
	}
	return n > 2 && !isVowel(b[n-3]) && isVowel(b[n-2]) && !isVowel(b[n-1]) && strings.IndexByte("wxY", b[n-1]) < 0
}

// replaceIn applies the rule of the longest suffix that the word has, if that lies in the region.
func (w *stemmer) replaceIn(region int, rules []stemRule) {
	best := -1
	for i, r := range rules {
		if w.has(r.suffix) && (best < 0 || len(r.suffix) > len(rules[best].suffix)) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	r := rules[best]
	before := w.b[:len(w.b)-len(r.suffix)]
	if len(before) >= region && (r.fits == nil || r.fits(w, before)) {
		w.b = append(before, r.by...)
	}
}

// step1a takes off plurals.
func (w *stemmer) step1a() {
	switch {
	case w.has("sses"):
		w.cut(2)
	case w.has("ied"), w.has("ies"):
		if len(w.b) > 4 {
			w.cut(2)
		} else {
			w.cut(1)
		}
	case w.has("us"), w.has("ss"):
	case w.has("s") && anyVowel(w.b[:max(0, len(w.b)-2)]):
		w.cut(1)
	}
}

// step1b takes off -ed and -ing.
func (w *stemmer) step1b() {
	for _, suffix := range []string{"eedly", "eed"} {
		if w.has(suffix) {
			if len(w.b)-len(suffix) >= w.r1 {
				w.cut(len(suffix) - 2)
			}
			return
		}
	}
	for _, suffix := range []string{"ingly", "edly", "ing", "ed"} {
		if !w.has(suffix) {
			continue
		}
		if !anyVowel(w.b[:len(w.b)-len(suffix)]) {
			return
		}
		w.cut(len(suffix))
		n := len(w.b)
		switch {
		case w.has("at"), w.has("bl"), w.has("iz"):
			w.b = append(w.b, 'e')
		case n > 1 && w.b[n-1] == w.b[n-2] && strings.IndexByte("bdfgmnprt", w.b[n-1]) >= 0:
			w.cut(1)
		case w.r1 >= n && endsShort(w.b):
			w.b = append(w.b, 'e')
		}
		return
	}
}

// step1c turns a y after a consonant into i, unless the consonant is the first letter.
func (w *stemmer) step1c() {
	if n := len(w.b); n > 2 && (w.b[n-1] == 'y' || w.b[n-1] == 'Y') && !isVowel(w.b[n-2]) {
		w.b[n-1] = 'i'
	}
}

// step5 takes off a last e or l.
func (w *stemmer) step5() {
	n := len(w.b) - 1
	switch {
	case w.has("e") && (n >= w.r2 || n >= w.r1 && !endsShort(w.b[:n])), w.has("ll") && n >= w.r2:
		w.cut(1)
	}
}
