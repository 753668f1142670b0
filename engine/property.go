package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/bind"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// settings are what the properties of a session come to.
type settings struct {
	zone   *time.Location
	time   time.Duration // 0: no limit
	memory int64         // bytes; 0: no limit
}

// forFunctions is what functions may know of a session with these settings.
func (s settings) forFunctions(opt Options) fn.Session {
	return fn.Session{Now: opt.Now, Zone: s.zone, User: opt.User, Catalog: opt.Session.Catalog, Schema: opt.Session.Schema}
}

// property is one that has a meaning here. They can lower the limits of a query, never raise them.
type property struct {
	name, byDefault, doc string
	apply                func(s *settings, value string) error
}

const zoneProperty = "time_zone_id"

var properties = []property{
	{"query_max_execution_time", "", "how long a statement may run, such as 90s, 5m or 1.5h", setTime},
	{"query_max_memory", "", "how much memory a statement may hold, such as 500MB or 1GB", setMemory},
	{"query_max_run_time", "", "the same as query_max_execution_time", setTime},
	{"query_max_total_memory", "", "the same as query_max_memory", setMemory},
	{zoneProperty, "UTC", "the zone of the session, which SET TIME ZONE sets", setZone},
}

// accepted are properties of Trino that tune how it works and that drivers, tools and people's scripts set. They change no answer, and
// nothing here. So are all properties of catalogs, which have a dot in their name.
var accepted = strings.Fields(`
	adaptive_partial_aggregation_enabled aggregation_operator_unspill_memory_limit allow_pushdown_into_connectors colocated_join
	complex_expression_pushdown dictionary_aggregation distinct_aggregations_strategy distributed_sort enable_dynamic_filtering
	enable_intermediate_aggregations enable_large_dynamic_filters exchange_compression execution_policy
	filter_and_project_min_output_page_row_count filter_and_project_min_output_page_size fault_tolerant_execution_task_memory
	hash_partition_count ignore_stats_calculator_failures initial_splits_per_node iterative_optimizer_timeout join_distribution_type
	join_max_broadcast_table_size join_reordering_strategy mark_distinct_strategy max_hash_partition_count max_reordered_joins
	min_hash_partition_count optimize_hash_generation optimize_metadata_queries optimize_mixed_distinct_aggregations
	prefer_partial_aggregation prefer_streaming_operators push_aggregation_through_outer_join push_partial_aggregation_through_join
	push_table_write_through_union query_priority redistribute_writes retry_policy scale_writers spill_enabled
	statistics_cpu_timer_enabled task_concurrency task_max_writer_count task_min_writer_count task_writer_count unwrap_casts
	use_mark_distinct use_preferred_write_partitioning use_table_statistics writer_scaling_min_data_processed`)

// settings reads the properties; what is wrong with one is the statement's error.
func (s Session) settings() (settings, error) {
	out := settings{zone: time.UTC}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if err := setProperty(&out, name, s.Properties[name]); err != nil {
			return settings{}, sqlerr.At(err, 1)
		}
	}
	return out, nil
}

func setProperty(s *settings, name, value string) error {
	for _, p := range properties {
		if p.name == name {
			if err := p.apply(s, value); err != nil {
				return sqlerr.New(sqlerr.Value, 0, "session property %s: %s", name, err)
			}
			return nil
		}
	}
	return checkAccepted(name)
}

// checkAccepted refuses the name of a property that there is none of.
func checkAccepted(name string) error {
	if strings.Contains(name, ".") || slices.Contains(accepted, name) {
		return nil
	}
	var known []string
	for _, p := range properties {
		known = append(known, p.name)
	}
	err := sqlerr.New(sqlerr.Name, 0, "session property %q does not exist", name)
	if near := sqlerr.Nearest(name, slices.Concat(known, accepted)); near != "" {
		return err.WithHint("did you mean %s?", near)
	}
	return err.WithHint("there are %s", strings.Join(known, ", "))
}

func setTime(s *settings, value string) error {
	d, err := parseDuration(value)
	if err == nil && (s.time == 0 || d < s.time) {
		s.time = d
	}
	return err
}

func setMemory(s *settings, value string) error {
	bytes, err := parseDataSize(value)
	if err == nil && (s.memory == 0 || bytes < s.memory) {
		s.memory = bytes
	}
	return err
}

func setZone(s *settings, value string) error {
	key, ok := sqltype.ZoneKey(value)
	if !ok {
		return fmt.Errorf("there is no time zone %q; write 'Europe/Berlin' or '+02:00'", value)
	}
	_, s.zone = sqltype.Zone(key)
	return nil
}

// parseDuration reads a time as Trino writes it: 90s, 1.5h.
func parseDuration(text string) (time.Duration, error) {
	n, ok := amount(text, map[string]float64{"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9, "d": 86400e9})
	if !ok {
		return 0, fmt.Errorf("%q is no time such as 90s, 5m or 1.5h", text)
	}
	return time.Duration(n), nil
}

// parseDataSize reads a number of bytes as Trino writes it, its units being powers of 1024: 500MB, 1.5GB.
func parseDataSize(text string) (int64, error) {
	n, ok := amount(text, map[string]float64{"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40, "PB": 1 << 50})
	if !ok {
		return 0, fmt.Errorf("%q is no size such as 500MB or 1GB", text)
	}
	return n, nil
}

// amount reads a decimal number with a unit: 1 or more, and less than 2^63.
func amount(text string, units map[string]float64) (int64, bool) {
	at := strings.LastIndexAny(text, "0123456789.") + 1
	size, known := units[strings.TrimSpace(text[at:])]
	n, err := strconv.ParseFloat(strings.TrimSpace(text[:at]), 64)
	n *= size
	return int64(n), known && err == nil && n >= 1 && n < math.MaxInt64
}

func (q *query) setSession(st *sql.SetSession) (*table, error) {
	parts := make([]string, len(st.Name))
	for i, id := range st.Name {
		parts[i] = lowered(id)
	}
	name, at := strings.Join(parts, "."), st.Name[0].Pos()
	if st.Value == nil {
		if err := setProperty(&settings{}, name, ""); sqlerr.KindOf(err) == sqlerr.Name {
			return nil, sqlerr.At(err, at)
		}
		return q.changed(Change{Action: ResetAction, Name: name}, name+" is as it was")
	}
	lit, err := q.constant(st.Value)
	if err != nil {
		return nil, err
	}
	if lit.IsNull() {
		return nil, sqlerr.New(sqlerr.Value, st.Value.Pos(), "session property %s cannot be NULL", name).WithHint("RESET SESSION %s gives it its default back", name)
	}
	value := string(sqltype.AppendText(nil, lit.T, lit.Value, 0))
	if err := setProperty(&settings{}, name, value); err != nil {
		if sqlerr.KindOf(err) == sqlerr.Value {
			at = st.Value.Pos()
		}
		return nil, sqlerr.At(err, at)
	}
	return q.changed(Change{Action: SetAction, Name: name, Value: value}, name+" is "+value)
}

func (q *query) constant(e sql.Expr) (lit *expr.Literal, err error) {
	defer planning(&err)
	return bind.Constant(e, q.snapshot, &q.exec.Session)
}

// setTimeZone takes the name of a zone or an interval; LOCAL is the zone of a session in which none was set.
func (q *query) setTimeZone(st *sql.SetTimeZone) (*table, error) {
	if st.Zone == nil {
		return q.changed(Change{Action: ResetAction, Name: zoneProperty}, "the time zone is UTC")
	}
	lit, err := q.constant(st.Zone)
	if err != nil {
		return nil, err
	}
	value := string(sqltype.AppendText(nil, lit.T, lit.Value, 0))
	if lit.T.Kind == sqltype.IntervalDay { // 0 02:00:00.000
		days, clock, _ := strings.Cut(strings.TrimPrefix(value, "-"), " ")
		sign := "+"
		if strings.HasPrefix(value, "-") {
			sign = "-"
		}
		if minutes, ok := strings.CutSuffix(clock, ":00.000"); ok && days == "0" {
			value = sign + minutes
		}
	}
	var s settings
	if err := setZone(&s, value); err != nil {
		return nil, sqlerr.New(sqlerr.Value, st.Zone.Pos(), "%s", err)
	}
	value = s.zone.String()
	return q.changed(Change{Action: SetAction, Name: zoneProperty, Value: value}, "the time zone is "+value)
}

// showSession lists the properties that mean something, and those that were set.
func (q *query) showSession(st *sql.ShowSession) (*table, error) {
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	t := newTable("Name", "Value", "Default", "Type", "Description")
	set := maps.Clone(q.session.Properties)
	for _, p := range properties {
		value, ok := set[p.name]
		if !ok {
			value = p.byDefault
		}
		delete(set, p.name)
		if match(p.name) {
			t.add(p.name, value, p.byDefault, "varchar", p.doc)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if match(name) {
			t.add(name, set[name], "", "varchar", "accepted, of no effect")
		}
	}
	return t, nil
}
