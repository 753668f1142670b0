package sql

import (
	"slices"
	"strings"
)

// keywords holds the words with a meaning in the grammar; true: reserved, never a name unless quoted. The reserved
// words are those of Trino.
var keywords = map[string]bool{}

func init() {
	for word := range strings.FieldsSeq(`
		ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_CATALOG CURRENT_DATE CURRENT_PATH
		CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEALLOCATE DELETE DESCRIBE DISTINCT
		DROP ELSE END ESCAPE EXCEPT EXECUTE EXISTS EXTRACT FALSE FOR FROM FULL GROUP GROUPING HAVING IN INNER INSERT
		INTERSECT INTO IS JOIN JSON_ARRAY JSON_EXISTS JSON_OBJECT JSON_QUERY JSON_TABLE JSON_VALUE LEFT LIKE LISTAGG
		LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE NOT NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT ROLLUP SELECT
		SKIP TABLE THEN TRIM TRUE UESCAPE UNION UNNEST USING VALUES WHEN WHERE WITH`) {
		keywords[word] = true
	}
	for word := range strings.FieldsSeq(`
		ALL ANALYZE ANY ASC AT COLUMNS DESC EXPLAIN FETCH FILTER FOLLOWING FUNCTIONS GROUPS IGNORE INTERVAL LATERAL
		LIMIT NULLS OFFSET ONLY ORDINALITY OVER PARTITION PRECEDING RANGE RESPECT ROWS SETS SHOW SOME TABLES
		TABLESAMPLE TRY_CAST UNBOUNDED WINDOW WITHIN ZONE`) {
		keywords[word] = false
	}
}

// ReservedWords lists, in order, the words that are names only between double quotes.
func ReservedWords() []string {
	var out []string
	for word, reserved := range keywords {
		if reserved {
			out = append(out, word)
		}
	}
	slices.Sort(out)
	return out
}

// keyword reports whether word, in any case, is a keyword and whether it is reserved.
func keyword(word string) (reserved, known bool) {
	const longest = len("CURRENT_TIMESTAMP")
	if len(word) > longest {
		return false, false
	}
	var upper [longest]byte
	for i := range len(word) {
		c := word[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	reserved, known = keywords[string(upper[:len(word)])]
	return reserved, known
}

// isBareName reports whether name reads as a name everywhere without quotes. Keywords that are not reserved do in most
// places only, so they do not count.
func isBareName(name string) bool {
	if name == "" || isDigit(name[0]) || wordLength(name) != len(name) {
		return false
	}
	_, known := keyword(name)
	return !known
}
